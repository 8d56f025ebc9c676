"""What a request must be before the engine takes it."""

from __future__ import annotations

from math import isfinite

from tasks.engine.errors import InvalidRequest, RequestTooLong
from tasks.engine.types import GenerationRequest

#: As the API's. Beyond them a penalized logit may be no number, and nobody could say whose fault it was.
PENALTIES = (0.01, 100)


def check(request: GenerationRequest, max_positions: int) -> None:
    """Raises InvalidRequest, or RequestTooLong where prompt and new tokens exceed `max_positions`."""
    num_prompt_tokens, num_new = len(request.prompt_ids), request.max_new_tokens
    sampling, (least, most) = request.sampling, PENALTIES
    demands = {
        "at least one prompt token": num_prompt_tokens >= 1,
        "at least one new token": num_new >= 1,
        "stop strings that are not empty": "" not in request.stop,
        "a finite temperature": isfinite(sampling.temperature),
        "a temperature above 0 to sample with": sampling.temperature > 0 or not sampling.do_sample,
        "a top_k of at least 0": sampling.top_k >= 0,
        "a top_p above 0 and at most 1": 0 < sampling.top_p <= 1,
        f"a repetition penalty from {least} to {most}": least <= sampling.repetition_penalty <= most,
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
