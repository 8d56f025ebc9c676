"""From what OpenAI calls a completion to jobs."""

from __future__ import annotations

from typing import Any

from api.batch_body import BatchBody, RawItem
from api.batch_request import DAY_SECONDS, BatchOptions
from api.openai.request import CompletionRequest
from api.request import PredictRequest, parse_as

#: As OpenAI documents it.
DEFAULT_MAX_TOKENS = 16

#: How long what came of it can be looked up under /jobs or /batches.
TTL_SECONDS = 3600


def single_job(wanted: CompletionRequest, *, kept: bool) -> PredictRequest:
    """Of a request with one prompt. `kept`: the job goes on when its client has gone."""
    fields = job_fields(wanted, wanted.prompt[0])
    if wanted.priority is not None:
        fields["priority"] = wanted.priority
    if wanted.deadline_s is not None:
        fields["deadline_s"] = wanted.deadline_s
    return parse_as(PredictRequest, {**fields, "ttl_s": TTL_SECONDS, "cancel_on_disconnect": not kept})


def batch(wanted: CompletionRequest) -> BatchBody:
    """Of a request with several prompts."""
    options = BatchOptions(deadline_s=wanted.deadline_s or DAY_SECONDS, ttl_s=TTL_SECONDS)
    return BatchBody(options, (RawItem(job_fields(wanted, prompt)) for prompt in wanted.prompt))


def job_fields(wanted: CompletionRequest, prompt: str) -> dict[str, Any]:
    """By the names of POST /predict. What OpenAI has a default for is not left to the model's card."""
    fields = {
        "text": prompt,
        "model": wanted.model,
        "max_new_tokens": wanted.max_tokens or DEFAULT_MAX_TOKENS,
        "num_return_sequences": wanted.num_choices,
        "return_full_text": bool(wanted.echo),
        "do_sample": not wanted.greedy,
        "temperature": 1.0 if wanted.greedy or wanted.temperature is None else wanted.temperature,
        "top_p": 1.0 if wanted.top_p is None else wanted.top_p,
        "top_k": wanted.top_k or 0,
        "repetition_penalty": wanted.repetition_penalty or 1.0,
        "stop": list(wanted.stop or ()),
    }
    if wanted.seed is not None:
        fields["seed"] = wanted.seed
    if wanted.user:
        fields["metadata"] = {"user": wanted.user}
    return fields
