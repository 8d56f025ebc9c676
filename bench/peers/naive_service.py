"""The service that the naive peer serves: one Flask route, one Celery task, one transformers pipeline.

Written as their first pages show it: the route waits for the task's result, the task runs the pipeline, and
every process of the worker holds a model of its own. MODEL and REDIS_URL come from the environment.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from celery import Celery
from flask import Flask, request

app = Flask("naive")
queue = Celery("naive", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])


@cache
def text_generation() -> Any:
    from transformers import pipeline  # In the worker only: the web process needs no torch.

    return pipeline("text-generation", model=os.environ["MODEL"])


@queue.task(name="predict")  # type: ignore[untyped-decorator]
def predict(text: str, new_tokens: int) -> list[int]:
    written = text_generation()(
        text,
        max_new_tokens=new_tokens,
        min_new_tokens=new_tokens,
        do_sample=False,
        eos_token_id=None,
        return_tensors=True,
    )
    ids: list[int] = written[0]["generated_token_ids"]
    return [int(token_id) for token_id in ids[-new_tokens:]]


@app.post("/predict")
def answer() -> dict[str, list[int]]:
    body = request.get_json()
    return {"tokens": predict.delay(body["text"], body["new_tokens"]).get()}
