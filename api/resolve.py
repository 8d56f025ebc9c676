"""From what a client asked to exactly what will run."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from api.errors import InvalidParameters, PromptTooLong
from api.request import PredictRequest
from tasks.jobs.card import ModelCard
from tasks.jobs.models import Parameters

#: Total length when neither length is given, unless the card says otherwise.
DEFAULT_MAX_LENGTH = 50
#: ... but a longer prompt still gets this many new tokens.
MIN_NEW_TOKENS = 20
#: Seeds drawn here are exact in every JSON reader, also in those that hold numbers as doubles.
SEED_RANGE = 2**53
#: What the workers' generators take.
MAX_SEED = 2**63 - 1

#: transformers' defaults, for what a card leaves open.
FALLBACKS: Mapping[str, Any] = {
    "do_sample": False,
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
    "repetition_penalty": 1.0,
}


def resolve_parameters(request: PredictRequest, card: ModelCard, num_prompt_tokens: int) -> Parameters:
    """Raises PromptTooLong and InvalidParameters; both name the limit and the number that breaks it."""
    do_sample = bool(choose(request, card, "do_sample"))
    if request.num_return_sequences > 1 and not do_sample:
        raise InvalidParameters.of(
            "num_return_sequences",
            f"must be 1 when do_sample is false, because all texts would be the same "
            f"(given: {request.num_return_sequences})",
        )
    if request.seed is not None and request.seed + request.num_return_sequences - 1 > MAX_SEED:
        raise InvalidParameters.of(
            "seed",
            f"must be at most {MAX_SEED - request.num_return_sequences + 1} for "
            f"{request.num_return_sequences} texts, which are drawn with seed, seed + 1, … "
            f"(given: {request.seed})",
        )
    return Parameters(
        max_new_tokens=resolve_length(request, card, num_prompt_tokens),
        do_sample=do_sample,
        temperature=float(choose(request, card, "temperature")),
        top_k=int(choose(request, card, "top_k")),
        top_p=float(choose(request, card, "top_p")),
        repetition_penalty=float(choose(request, card, "repetition_penalty")),
        stop=request.stop,
        seed=request.seed if request.seed is not None else secrets.randbelow(SEED_RANGE),
        num_return_sequences=request.num_return_sequences,
        return_full_text=request.return_full_text,
    )


def default_parameters(card: ModelCard) -> dict[str, Any]:
    """What a request gets that leaves everything open, by the names of a request."""
    return {**FALLBACKS, "max_length": default_length(card), **card.generation_defaults}


def choose(request: PredictRequest, card: ModelCard, name: str) -> Any:
    """The client's value, else the card's, else transformers'."""
    for value in (getattr(request, name), card.generation_defaults.get(name)):
        if value is not None:
            return value
    return FALLBACKS[name]


def resolve_length(request: PredictRequest, card: ModelCard, num_prompt_tokens: int) -> int:
    """How many tokens to generate; prompt and they together fit into the model's positions."""
    room = card.max_positions - num_prompt_tokens
    if room < 1:
        raise PromptTooLong.of(
            "text",
            f"has {num_prompt_tokens} tokens, and the model holds {card.max_positions} "
            "of prompt and new tokens together",
        )
    if request.max_new_tokens is not None:
        return fit(request.max_new_tokens, room, "max_new_tokens", num_prompt_tokens, card)
    if request.max_length is not None:
        if request.max_length <= num_prompt_tokens:
            raise PromptTooLong.of(
                "max_length",
                f"counts prompt and new tokens together and must be more than the prompt's "
                f"{num_prompt_tokens} tokens (given: {request.max_length})",
            )
        return fit(request.max_length - num_prompt_tokens, room, "max_length", num_prompt_tokens, card)
    return min(max(default_length(card) - num_prompt_tokens, MIN_NEW_TOKENS), room)


def default_length(card: ModelCard) -> int:
    """Of prompt and new tokens together."""
    return int(card.generation_defaults.get("max_length") or DEFAULT_MAX_LENGTH)


def fit(max_new_tokens: int, room: int, field: str, num_prompt_tokens: int, card: ModelCard) -> int:
    if max_new_tokens > room:
        largest = room if field == "max_new_tokens" else card.max_positions
        given = max_new_tokens if field == "max_new_tokens" else max_new_tokens + num_prompt_tokens
        raise InvalidParameters.of(
            field,
            f"must be at most {largest}: the model holds {card.max_positions} tokens "
            f"and the prompt has {num_prompt_tokens} (given: {given})",
        )
    return max_new_tokens
