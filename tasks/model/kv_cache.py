"""Keys and values of all sequences, in memory that is taken once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Sequence as Rows
from math import prod
from mmap import mmap

import torch
from torch import Tensor

from tasks.model.pages import PAGE_TOKENS, Pages, num_pages
from tasks.model.prefix_cache import PrefixCache
from tasks.model.span import Span
from tasks.model.undo import forgets
from tasks.model.weights import Weights


class KVCache:
    """Layers that see everything share pages among the sequences: each takes as many as its prompt and its
    new tokens need. Position p of a sequence lies at place `tables[slot][p // 128] · 128 + p % 128`. Layers
    with a window have a ring in every slot, where a token overwrites one that has left the window: position
    p lies at place `ring(slot, window) + p % ring_places(window)`. GPT-Neo's keys carry no position, so their
    order in the ring does not matter.

    A prefix that is kept shares its page, which is full and so never written again. It has a ring of its own,
    a copy, since a ring forgets.

    Memory that has never been written is zero, and reserved only.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        num_slots: int,
        num_tokens: int,
        num_prefix_tokens: int = 0,
        dtype: torch.dtype = torch.float32,
        ring_places: Callable[[int], int] = int,
    ) -> None:
        """`num_tokens`: the budget, at least the model's context, so that any one sequence fits.
        `num_prefix_tokens`: of prompts, kept for the next ones within that budget. `dtype`, `ring_places`: as
        the attention says, see there."""
        num_prefixes = num_prefix_tokens // PAGE_TOKENS
        num_rings = num_slots + num_prefixes
        self._ring_places = ring_places
        self._windows = [layer.window for layer in weights.layers]
        self._pages = Pages(num_pages(max(num_tokens, weights.max_positions)))
        self._prefixes = PrefixCache(self._pages, range(num_slots, num_rings))
        self.tables: dict[int, list[int]] = {}  #: The pages of each slot, in the order of its text.
        #: Keys and values of each layer, [2, heads, places, head size].
        self.layers = [
            _reserve((2, weights.num_heads, self._num_places(window, num_rings), weights.head_size), dtype)
            for window in self._windows
        ]

    def _num_places(self, window: int | None, num_rings: int) -> int:
        return self._pages.size * PAGE_TOKENS if window is None else self.ring(num_rings, window)

    @property
    def num_tokens(self) -> int:
        return self._pages.size * PAGE_TOKENS

    @property
    def num_tokens_in_use(self) -> int:
        """Without what is kept for later only."""
        return self.num_tokens - self._num_pages_left() * PAGE_TOKENS

    def ring(self, index: int, window: int) -> int:
        """First place of a ring; those of the slots come first."""
        return index * self._ring_places(window)

    def fits(self, num_tokens: int) -> bool:
        return num_pages(num_tokens) <= self._num_pages_left()

    def take(self, slot: int, prompt_ids: Rows[int], num_new_tokens: int) -> None:
        """Reserve what a sequence needs. Raises ValueError where it does not fit."""
        count = num_pages(len(prompt_ids) + num_new_tokens)
        self._prefixes.find(prompt_ids)  # What it begins with is the last to make room for it.
        self._prefixes.make_free(count)
        self.tables[slot] = self._pages.take(count)

    def give_back(self, slot: int) -> None:
        """Never raises, also when nothing was taken."""
        self._pages.let_go(self.tables.pop(slot, ()))

    def restore(self, slot: int, token_ids: Rows[int], num_run: int) -> int:
        """Put what is kept of `token_ids` into the slot, which has run `num_run` of them: how many it has run
        now."""
        chain = self._prefixes.find(token_ids)
        if len(chain) * PAGE_TOKENS <= num_run:
            return num_run
        table, kept = self.tables[slot], [prefix.page for prefix in chain]
        self._pages.hold(kept)
        self._pages.let_go(table[: len(kept)])
        table[: len(kept)] = kept
        self._copy_rings(chain[-1].ring, slot)
        return len(chain) * PAGE_TOKENS

    def still_holds(self, num_tokens: int, num_run: int) -> bool:
        """Whether the rings of a slot that has run `num_run` tokens hold what it saw after `num_tokens`."""
        places = ((window, self._ring_places(window)) for window in self._windows if window is not None)
        return all(num_run - size <= max(0, num_tokens - window) for window, size in places)

    def copy(self, source: int, target: int, num_tokens: int) -> None:
        """Give the target the first tokens of the source, which has run them and `still_holds` them: whole
        pages are shared, the rest is copied."""
        num_whole = num_tokens // PAGE_TOKENS
        old, new = self.tables[source], self.tables[target]
        self._pages.hold(old[:num_whole])
        self._pages.let_go(new[:num_whole])
        new[:num_whole] = old[:num_whole]
        if num_tokens % PAGE_TOKENS:
            for memory in self._paged():
                page(memory, new[num_whole]).copy_(page(memory, old[num_whole]))
        self._copy_rings(source, target)

    def keep(self, slot: int, token_ids: Rows[int]) -> None:
        """Keep the pages of `token_ids` for the next prompt that begins so: the slot has run just these, the
        last of them filled a page, and its rings have not forgotten any."""
        prefix = self._prefixes.add(token_ids, self.tables[slot][len(token_ids) // PAGE_TOKENS - 1])
        if prefix is not None:
            self._copy_rings(slot, prefix.ring)

    def erase(self, slot: int) -> None:
        """Make zero what the slot alone holds."""
        own = [number for number in self.tables.get(slot, ()) if not self._pages.is_shared(number)]
        for memory in self._paged():
            for number in own:
                page(memory, number).zero_()
        for ring in self._rings(slot):
            ring.zero_()

    def forgotten_rings(self, span: Span) -> Iterator[Tensor]:
        """Those that lose tokens which the span itself sees, when it is run. Pages lose nothing."""
        for window, ring in self._rings_by_window(span.slot):
            if forgets(span.start, span.end, window, self._ring_places(window)):
                yield ring

    def _num_pages_left(self) -> int:
        return self._pages.num_free + self._prefixes.num_spare_pages

    def _copy_rings(self, source: int, target: int) -> None:
        for old, new in zip(self._rings(source), self._rings(target), strict=True):
            new.copy_(old)

    def _paged(self) -> Iterator[Tensor]:
        """The memory of each layer that has pages."""
        return (memory for window, memory in zip(self._windows, self.layers, strict=True) if window is None)

    def _rings(self, index: int) -> Iterator[Tensor]:
        """The ring of each layer that has one, [2, heads, places, head size]."""
        return (ring for _, ring in self._rings_by_window(index))

    def _rings_by_window(self, index: int) -> Iterator[tuple[int, Tensor]]:
        for window, memory in zip(self._windows, self.layers, strict=True):
            if window is not None:
                yield window, memory.narrow(2, self.ring(index, window), self._ring_places(window))


def page(memory: Tensor, number: int) -> Tensor:
    """[2, heads, 128, head size]"""
    return memory.narrow(2, number * PAGE_TOKENS, PAGE_TOKENS)


def _reserve(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Zeros that take no memory until they are written; `torch.zeros` would write them."""
    return torch.frombuffer(mmap(-1, prod(shape) * dtype.itemsize), dtype=dtype).view(shape)
