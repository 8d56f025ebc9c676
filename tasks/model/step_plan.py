"""Where the tokens of one step go, and what they see."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.engine.runner import Chunk
from tasks.model.kv_cache import KVCache


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens of one chunk."""

    slot: int
    rows: slice  #: Of the step's tensors.
    start: int  #: Positions in the sequence.
    end: int

    @property
    def num_tokens(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class View:
    """The keys that one chunk sees in the layers with a certain window."""

    #: First place and number of them, once this step's tokens are written.
    stored: tuple[int, int]
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


def spans_of(chunks: Rows[Chunk]) -> list[Span]:
    spans, row = [], 0
    for chunk in chunks:
        num_tokens = len(chunk.token_ids)
        spans.append(Span(chunk.slot, slice(row, row + num_tokens), chunk.start, chunk.start + num_tokens))
        row += num_tokens
    return spans


def plan(spans: Rows[Span], cache: KVCache, window: int | None) -> Plan:
    """For the layers with `window`, or those that see everything."""
    firsts = [cache.place(span.slot, window) for span in spans]
    return _whole(spans, firsts) if window is None else _rings(spans, firsts, window)


def _whole(spans: Rows[Span], firsts: list[int]) -> Plan:
    places, views = [], []
    for span, first in zip(spans, firsts, strict=True):
        places.append(torch.arange(first + span.start, first + span.end))
        views.append(View(stored=(first, span.end), earlier=None, mask=_mask(span, 0, None)))
    return Plan(None, torch.cat(places), views)


def _rings(spans: Rows[Span], firsts: list[int], window: int) -> Plan:
    rows, places, views = [], [], []
    for span, first in zip(spans, firsts, strict=True):
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
        stored=(first, min(span.end, window)),
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
