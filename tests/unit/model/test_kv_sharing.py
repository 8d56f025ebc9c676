"""Any order of sequences and prefixes: nobody's memory changes under him, and nothing stays behind."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tasks.model.kv_cache import KVCache
from tasks.model.pages import PAGE_TOKENS, num_pages

NUM_SLOTS, NUM_PAGES, NUM_PREFIXES, WINDOW = 3, 8, 4, 16


@dataclass
class Running:
    prompt: tuple[int, ...]
    num_run: int = 0


def value(token_ids: tuple[int, ...]) -> int:
    """What a page or a ring holds after these tokens, in place of keys and values."""
    return hash(token_ids) % 1_000_003 + 1


class SharingMachine(RuleBasedStateMachine):
    """Prompts are letters, a page each, of which the last may be begun only. Running a page fills it, and
    the ring, with a number made of all the tokens so far."""

    def __init__(self) -> None:
        super().__init__()
        layers = (SimpleNamespace(window=None), SimpleNamespace(window=WINDOW))
        weights: Any = SimpleNamespace(layers=layers, num_heads=1, head_size=1, max_positions=1)
        self.cache = KVCache(
            weights,
            num_slots=NUM_SLOTS,
            num_tokens=NUM_PAGES * PAGE_TOKENS,
            num_prefix_tokens=NUM_PREFIXES * PAGE_TOKENS,
        )
        self.running: dict[int, Running] = {}

    @rule(letters=st.text("ab", min_size=1, max_size=5), num_more=st.sampled_from([0, 1, 100]))
    def begin(self, letters: str, num_more: int) -> None:
        prompt = tuple(ord(letter) for letter in letters for _ in range(PAGE_TOKENS)) + (0,) * num_more
        free = set(range(NUM_SLOTS)) - set(self.running)
        if not free or not self.cache.fits(len(prompt) + 1):
            return
        self.cache.take(min(free), prompt, 1)
        self.running[min(free)] = Running(prompt)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def run_a_page(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.running)))
        each = self.running[slot]
        if each.num_run == len(each.prompt):
            return
        each.num_run = self.cache.restore(slot, each.prompt[:-1], each.num_run)
        self.everybody_reads_what_the_own_tokens_left()  # The ring is written next.
        index = each.num_run // PAGE_TOKENS
        end = min((index + 1) * PAGE_TOKENS, len(each.prompt))
        whole, local = self.cache.layers
        page = self.cache.tables[slot][index]
        whole[:, :, page * PAGE_TOKENS : (page + 1) * PAGE_TOKENS] = value(each.prompt[:end])
        ring = self.cache.ring(slot, WINDOW)
        local[:, :, ring : ring + WINDOW] = value(each.prompt[:end])
        each.num_run = end
        if end % PAGE_TOKENS == 0:
            self.cache.keep(slot, each.prompt[:end])

    @precondition(lambda self: self.running)
    @rule(data=st.data(), breaks=st.booleans())
    def leave(self, data: st.DataObject, breaks: bool) -> None:
        slot = data.draw(st.sampled_from(sorted(self.running)))
        if breaks:
            self.cache.erase(slot)
        self.cache.give_back(slot)
        del self.running[slot]

    @invariant()
    def everybody_reads_what_the_own_tokens_left(self) -> None:
        whole, local = self.cache.layers
        for slot, each in self.running.items():
            for index in range(num_pages(each.num_run)):
                place = self.cache.tables[slot][index] * PAGE_TOKENS
                end = min((index + 1) * PAGE_TOKENS, each.num_run)
                assert (whole[:, :, place : place + PAGE_TOKENS] == value(each.prompt[:end])).all()
            if each.num_run:
                ring = self.cache.ring(slot, WINDOW)
                assert (local[:, :, ring : ring + WINDOW] == value(each.prompt[: each.num_run])).all()

    @invariant()
    def a_page_that_is_yet_to_be_written_has_one_holder(self) -> None:
        tables = self.cache.tables
        for slot, each in self.running.items():
            for page in tables[slot][each.num_run // PAGE_TOKENS :]:
                assert sum(table.count(page) for table in tables.values()) == 1

    def teardown(self) -> None:
        for slot in list(self.running):
            self.cache.give_back(slot)
        assert self.cache.num_tokens_in_use == 0
        # All the pages can be had, so none is lost.
        self.cache.take(0, (), NUM_PAGES * PAGE_TOKENS)
        assert sorted(self.cache.tables[0]) == list(range(NUM_PAGES))


TestSharing = SharingMachine.TestCase
TestSharing.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
