from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tasks.model.pages import Pages, num_pages

SIZE = 12


class PagesMachine(RuleBasedStateMachine):
    """Against a count of the holders of each page."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = Pages(SIZE)
        self.holders: Counter[int] = Counter()

    @rule(count=st.integers(0, SIZE))
    def take(self, count: int) -> None:
        free = [page for page in range(SIZE) if not self.holders[page]]
        if count > len(free):
            with pytest.raises(ValueError, match=f"{count} pages are wanted and {len(free)} are free"):
                self.pages.take(count)
            return
        taken = self.pages.take(count)
        assert len(set(taken)) == count
        assert set(taken) <= set(free)
        runs = [free[i : i + count] for i in range(len(free) - count + 1)]
        if any(run and run[-1] - run[0] == count - 1 for run in runs):
            assert taken == list(range(taken[0], taken[0] + count))
        self.holders.update(taken)

    @precondition(lambda self: +self.holders)
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        page = data.draw(st.sampled_from(sorted(+self.holders)))
        self.pages.hold([page])
        self.holders[page] += 1

    @rule(page=st.integers(0, SIZE - 1))
    def let_go(self, page: int) -> None:
        if not self.holders[page]:
            with pytest.raises(ValueError, match=f"page {page} is free"):
                self.pages.let_go([page])
            return
        self.pages.let_go([page])
        self.holders[page] -= 1

    @invariant()
    def every_page_is_free_or_held(self) -> None:
        assert self.pages.num_free == SIZE - len(+self.holders)
        assert [self.pages.is_shared(page) for page in range(SIZE)] == [
            self.holders[page] > 1 for page in range(SIZE)
        ]


TestPages = PagesMachine.TestCase
TestPages.settings = settings(max_examples=40, deadline=None)


def test_the_first_run_that_is_long_enough_is_taken_before_single_pages() -> None:
    pages = Pages(8)
    assert [pages.take(count) for count in (1, 2, 1, 3)] == [[0], [1, 2], [3], [4, 5, 6]]
    pages.let_go([0, 3, 4, 5])
    assert pages.take(2) == [3, 4]
    assert pages.take(3) == [0, 5, 7]


@pytest.mark.parametrize(("num_tokens", "expected"), [(0, 0), (1, 1), (128, 1), (129, 2), (2048, 16)])
def test_a_page_that_is_begun_is_needed(num_tokens: int, expected: int) -> None:
    assert num_pages(num_tokens) == expected
