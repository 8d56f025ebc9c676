"""Counts a prompt's tokens as the worker will, with the tokenizer of the model's card."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tokenizers import Tokenizer

from tasks.jobs.card import ModelCard


class TokenCounter:
    """`fetch(sha256)` returns a tokenizer's JSON; each is fetched once for each process."""

    def __init__(self, fetch: Callable[[str], str]) -> None:
        self._fetch = fetch
        self._tokenizers: dict[str, Tokenizer] = {}
        self._lock = threading.Lock()

    def count(self, card: ModelCard, text: str) -> int:
        """Raises what `fetch` raises."""
        return len(self._tokenizer(card.tokenizer_sha256).encode(text).ids)

    def _tokenizer(self, sha256: str) -> Tokenizer:
        known = self._tokenizers.get(sha256)
        if known is not None:
            return known
        tokenizer = Tokenizer.from_str(self._fetch(sha256))
        # A tokenizer file may switch these on, and then every long prompt would seem to fit. Nobody changes
        # the object after this, so threads may encode with it at the same time.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        with self._lock:
            return self._tokenizers.setdefault(sha256, tokenizer)
