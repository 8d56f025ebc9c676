"""OpenAI's API, as far as a base model can serve it: parse, call, render."""

from __future__ import annotations

from flask import Blueprint, Response, request

from api.errors import Draining
from api.headers import IDEMPOTENCY_KEY
from api.json_body import read_json_object
from api.openai.answers import OpenAIModels, models_of
from api.openai.blocking import complete, complete_list
from api.openai.request import parse_completion
from api.openai.streaming import stream_completion
from api.problems import shown
from api.render import json_response
from api.service import STORE_SECONDS, current_service
from api.validators import keep_private
from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import UnknownModel

openai = Blueprint("openai", __name__, url_prefix="/v1")
openai.after_request(keep_private)


@openai.post("/completions")
def create_completion() -> Response:
    """Records a job, or a batch for a list of prompts, and answers with its texts."""
    if current_service().draining.is_set():
        raise Draining()  # Nobody would wait for it here, and these clients come back by themselves.
    key = IDEMPOTENCY_KEY.parse(request.headers.get("Idempotency-Key"))
    wanted = parse_completion(read_json_object(request))
    if wanted.stream:
        return stream_completion(wanted, key)
    return complete_list(wanted, key) if wanted.is_list else complete(wanted, key)


@openai.get("/models")
def list_models() -> Response:
    """Every model that a worker has ever registered; jobs are taken for all of them."""
    with time_limit(STORE_SECONDS):
        cards = current_service().store.models()
    return json_response(OpenAIModels(object="list", data=models_of(cards)).model_dump())


@openai.get("/models/<path:model>")
def show_model(model: str) -> Response:
    with time_limit(STORE_SECONDS):
        cards = current_service().store.models()
    for known in models_of(cards):
        if known.id == model:
            return json_response(known.model_dump())
    raise UnknownModel(shown(model))
