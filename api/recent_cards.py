"""The cards of the models, without asking the store for each request."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tasks.jobs.card import ModelCard, choose_card
from tasks.jobs.errors import NoModel, UnknownModel

MAX_AGE_SECONDS = 1.0


class RecentCards:
    """Chooses among the cards that `fetch` returned at most a second ago. Thread-safe.

    Jobs are taken for models whose workers are away, so an older list admits no job that would have been
    refused a second sooner. What it cannot answer is looked up in a new one.
    """

    def __init__(
        self, fetch: Callable[[], Sequence[ModelCard]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: tuple[float, Sequence[ModelCard]] = (float("-inf"), ())

    def choose(self, name: str | None) -> ModelCard:
        """Raises what choose_card() and `fetch` raise, never from an older list."""
        read_at, cards = self._known
        if self._clock() - read_at <= MAX_AGE_SECONDS:
            try:
                return choose_card(cards, name)
            except (NoModel, UnknownModel):
                pass  # A worker may have brought it since.
        now = self._clock()
        cards = self._fetch()
        self._known = (now, cards)
        return choose_card(cards, name)
