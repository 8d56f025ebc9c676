"""Where the tokens of one step go, and what they see: for torch's attention."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.model.kv_cache import KVCache
from tasks.model.pages import PAGE_TOKENS, num_pages
from tasks.model.span import Span


@dataclass(frozen=True, slots=True)
class View:
    """The keys that one chunk sees in the layers with a certain window."""

    rows: slice  #: The chunk's, of the step's tensors.
    #: Where they are once this step's tokens are written: first place and number of each run of them.
    runs: list[tuple[int, int]]
    #: For several tokens at once in a ring, which overwrite each other's keys: the places of the keys before
    #: them, to be read before this step's tokens are written; those of the chunk itself follow.
    earlier: Tensor | None
    mask: Tensor | None  #: Who sees what, [tokens, keys]; None: all of it.


@dataclass(frozen=True, slots=True)
class Plan:
    """What a step does in the layers with a certain window."""

    rows: Tensor | None  #: The tokens that are written; None: all.
    places: Tensor  #: Where.
    views: list[View]  #: One for each span.


def plan(spans: Rows[Span], cache: KVCache, window: int | None) -> Plan:
    """For the layers with `window`, or those that see everything."""
    return _paged(spans, cache) if window is None else _rings(spans, cache, window)


def _paged(spans: Rows[Span], cache: KVCache) -> Plan:
    places, views = [], []
    for span in spans:
        pages = cache.tables[span.slot]
        positions = torch.arange(span.start, span.end)
        first_page = span.start // PAGE_TOKENS
        own = torch.tensor(pages[first_page : num_pages(span.end)])
        places.append(own[positions // PAGE_TOKENS - first_page] * PAGE_TOKENS + positions % PAGE_TOKENS)
        views.append(View(span.rows, _runs(pages, span.end), earlier=None, mask=_mask(span, 0, None)))
    return Plan(None, torch.cat(places), views)


def _runs(pages: Rows[int], num_tokens: int) -> list[tuple[int, int]]:
    """Where the first `num_tokens` places of the pages are."""
    runs: list[tuple[int, int]] = []
    for begun, page in zip(range(0, num_tokens, PAGE_TOKENS), pages, strict=False):
        place, length = page * PAGE_TOKENS, min(PAGE_TOKENS, num_tokens - begun)
        if runs and sum(runs[-1]) == place:
            place, length = runs[-1][0], runs.pop()[1] + length
        runs.append((place, length))
    return runs


def _rings(spans: Rows[Span], cache: KVCache, window: int) -> Plan:
    rows, places, views = [], [], []
    for span in spans:
        first = cache.ring(span.slot, window)
        # Of a chunk longer than the ring only the end is kept.
        kept = torch.arange(max(span.start, span.end - window), span.end)
        rows.append(kept + (span.rows.start - span.start))
        places.append(first + kept % window)
        views.append(_ring_view(span, first, window))
    all_are_kept = all(span.num_tokens <= window for span in spans)
    return Plan(None if all_are_kept else torch.cat(rows), torch.cat(places), views)


def _ring_view(span: Span, first: int, window: int) -> View:
    seen_from = max(0, span.start - window + 1)
    before = first + torch.arange(seen_from, span.start) % window
    return View(
        span.rows,
        runs=[(first, min(span.end, window))],
        earlier=None if span.num_tokens == 1 else before,
        mask=_mask(span, seen_from, window),
    )


def _mask(span: Span, seen_from: int, window: int | None) -> Tensor | None:
    """Which of the keys from position `seen_from` on each token sees."""
    if span.num_tokens == 1:
        return None
    queries = torch.arange(span.start, span.end)[:, None]
    keys = torch.arange(seen_from, span.end)[None, :]
    mask = keys <= queries  # [tokens, keys]
    return mask if window is None else mask & (keys > queries - window)
