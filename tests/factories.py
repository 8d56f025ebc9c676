"""Valid values for what a test is not about."""

from __future__ import annotations

import uuid
from typing import Any

from tasks.jobs.card import ModelCard
from tasks.jobs.models import NewJob, Parameters

FINGERPRINT = "fp-test"


def make_parameters(**changes: Any) -> Parameters:
    values: dict[str, Any] = {
        "max_new_tokens": 20,
        "do_sample": False,
        "temperature": 1.0,
        "top_k": 50,
        "top_p": 1.0,
        "repetition_penalty": 1.0,
        "stop": (),
        "seed": 7,
        "num_return_sequences": 1,
        "return_full_text": True,
    }
    return Parameters(**{**values, **changes})


def make_new_job(id: str | None = None, *, num_rows: int = 1, **changes: Any) -> NewJob:
    values: dict[str, Any] = {
        "id": id or uuid.uuid4().hex,
        "text": "Once upon a time",
        "parameters": make_parameters(num_return_sequences=num_rows),
        "model": "test-model",
        "fingerprint": FINGERPRINT,
        "num_prompt_tokens": 4,
        "ttl_seconds": 3600,
    }
    return NewJob(**{**values, **changes})


def make_card(model: str = "test-model", *, fingerprint: str = FINGERPRINT, **changes: Any) -> ModelCard:
    values: dict[str, Any] = {
        "model": model,
        "revision": "1",
        "fingerprint": fingerprint,
        "max_positions": 2048,
        "eos_token_ids": (0,),
        "generation_defaults": {"do_sample": True, "temperature": 0.9, "top_k": 50},
        "tokenizer_sha256": f"sha-{fingerprint}",
    }
    return ModelCard(**{**values, **changes})
