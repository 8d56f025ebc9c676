"""What crosses into the engine and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class FinishReason(StrEnum):
    EOS = "eos"  #: The model ended its text.
    LENGTH = "length"  #: `max_new_tokens` were generated.
    STOP = "stop"  #: A stop string appeared; it is not part of the text.
    CANCELED = "canceled"  #: Whoever submitted the request took it back.


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingParams:
    """How the next token is chosen, in transformers' words and order: repetition penalty, temperature,
    top-k, top-p. Without `do_sample` the likeliest token is taken (after the penalty)."""

    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 0  #: 0 keeps the whole vocabulary.
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
    """One prompt to continue; `request_id` is for logs only."""

    request_id: str
    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    stop: tuple[str, ...] = ()
    sampling: SamplingParams = field(default_factory=SamplingParams)


@dataclass(frozen=True, kw_only=True, slots=True)
class StepStats:
    """What one engine step did, for the metrics. Seconds are wall time."""

    num_prefill_tokens: int
    num_reused_tokens: int  #: Of prompts, not run because another one began with them.
    num_decode_rows: int
    num_new_tokens: int  #: Sampled in this step.
    num_first_tokens: int  #: Of these, the first of their sequence.
    num_waiting: int
    num_running: int
    num_finished: int
    num_kv_tokens_in_use: int  #: Reserved by the sequences that are running now.
    num_kv_tokens: int  #: Room for all of them.
    seconds: float
