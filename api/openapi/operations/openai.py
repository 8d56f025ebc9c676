"""The routes for OpenAI's clients."""

from __future__ import annotations

from collections.abc import Mapping

from api.event_format import EVENT_STREAM
from api.openai.answers import Completion, OpenAIModel, OpenAIModels
from api.openai.errors import OpenAIError, code_of, status_of
from api.openai.request import CompletionRequest
from api.openapi import examples
from api.openapi.operation import JSON, Answer, Content, Operation, Refusal, json_of
from api.openapi.operations.common import JSON_BODY, STORE, SUBMIT, UNSUCCESSFUL

REFUSAL = Refusal(Content(JSON, OpenAIError), status_of=status_of, code_of=code_of)

CHUNKS = Content(
    EVENT_STREAM,
    Completion,
    {"the whole stream": examples.CHUNKS},
    "Server-sent events of data alone, each of which is a chunk, or an error that ends the stream; the last "
    "is `[DONE]`. Lines that begin with a colon are comments.",
)

OPENAI: Mapping[tuple[str, str], Operation] = {
    ("openai.create_completion", "POST"): Operation(
        id="createCompletion",
        tag="OpenAI",
        summary="Continue a text",
        description="Records a job, or a batch for a list of prompts, and answers with its texts. A call "
        "waits up to 590 seconds. Without an `Idempotency-Key` its job is canceled when the client leaves.",
        headers=("Idempotency-Key",),
        body=json_of(
            CompletionRequest, a_prompt=examples.COMPLETION, several_prompts=examples.SEVERAL_PROMPTS
        ),
        answers=(
            Answer(
                200,
                "The texts are there; or the stream begins.",
                (*json_of(Completion, a_completion=examples.COMPLETED), CHUNKS),
                ("Cache-Control", "Location", "Idempotent-Replayed?"),
            ),
        ),
        codes=(
            *(*JSON_BODY, *SUBMIT, *UNSUCCESSFUL),
            *("prompt_too_long", "unknown_model", "no_model", "busy", "draining", "wait_over"),
            *("batches_full", "too_many_uploads", "batch_not_found", "batch_gone"),
        ),
        refusal=REFUSAL,
    ),
    ("openai.list_models", "GET"): Operation(
        id="listModels",
        tag="OpenAI",
        summary="List models",
        description="Every model that a worker has ever registered: jobs are taken for all of them.",
        answers=(Answer(200, "The models.", json_of(OpenAIModels), ("Cache-Control",)),),
        codes=("invalid_parameter", *STORE),
        refusal=REFUSAL,
    ),
    ("openai.show_model", "GET"): Operation(
        id="getModel",
        tag="OpenAI",
        summary="Look at a model",
        description="One of them, by its name, which may hold slashes.",
        answers=(Answer(200, "The model.", json_of(OpenAIModel), ("Cache-Control",)),),
        codes=("invalid_parameter", "unknown_model", "not_found", *STORE),
        refusal=REFUSAL,
    ),
}
