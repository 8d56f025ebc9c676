"""What a request must be before the engine takes it."""

from __future__ import annotations

from tasks.engine.errors import InvalidRequest, RequestTooLong
from tasks.engine.types import GenerationRequest


def check(request: GenerationRequest, max_positions: int) -> None:
    """Raises InvalidRequest, or RequestTooLong where prompt and new tokens exceed `max_positions`."""
    num_prompt_tokens, num_new = len(request.prompt_ids), request.max_new_tokens
    sampling = request.sampling
    demands = {
        "at least one prompt token": num_prompt_tokens >= 1,
        "at least one new token": num_new >= 1,
        "stop strings that are not empty": "" not in request.stop,
        "a temperature above 0": sampling.temperature > 0,
        "a top_k of at least 0": sampling.top_k >= 0,
        "a top_p above 0 and at most 1": 0 < sampling.top_p <= 1,
        "a repetition penalty above 0": sampling.repetition_penalty > 0,
        "a seed from 0 to 2**63 - 1": 0 <= sampling.seed < 2**63,
    }
    for demand, met in demands.items():
        if not met:
            raise InvalidRequest(f"a request needs {demand}")
    if num_prompt_tokens + num_new > max_positions:
        raise RequestTooLong(
            f"{num_prompt_tokens} prompt tokens and {num_new} new ones do not fit into the model's"
            f" context of {max_positions}"
        )
