"""What the clients of a fault run were promised."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property, lru_cache

from tokenizers import Tokenizer

from tasks.engine.scripted import letter, scripted_token
from tasks.worker.scripted_model import byte_tokenizer


@lru_cache(maxsize=1)
def _tokenizer() -> Tokenizer:
    return byte_tokenizer()


def scripted_text(prompt: str, num_tokens: int, seed: int) -> str:
    """What the scripted model writes: a function of these three and of nothing else."""
    prompt_ids = tuple(_tokenizer().encode(prompt).ids)
    return "".join(letter(scripted_token(prompt_ids, seed, place)) for place in range(num_tokens))


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A job that was accepted: the client saw its id in an answer."""

    job_id: str
    prompt: str
    num_tokens: int
    seed: int
    poisoned: bool = False  #: The test made it so that it cannot succeed.

    @cached_property
    def expected(self) -> str:
        return scripted_text(self.prompt, self.num_tokens, self.seed)


class Ledger:
    """Every accepted job. Thread-safe."""

    def __init__(self) -> None:
        self._promises: dict[str, Promise] = {}
        self._lock = threading.Lock()

    def accepted(self, promise: Promise) -> None:
        with self._lock:
            self._promises[promise.job_id] = promise

    @property
    def promises(self) -> tuple[Promise, ...]:
        with self._lock:
            return tuple(self._promises.values())

    def __len__(self) -> int:
        return len(self._promises)
