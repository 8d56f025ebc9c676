"""Dividing memory into pages that several may hold."""

from __future__ import annotations

from collections.abc import Iterable

#: Tokens whose keys and values share a page.
PAGE_TOKENS = 128


def num_pages(num_tokens: int) -> int:
    """Pages that so many tokens need."""
    return -(-num_tokens // PAGE_TOKENS)


class Pages:
    """Hands out pages, numbered from 0; one that nobody holds is free. Arithmetic only."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.num_free = size
        self._holders = [0] * size

    def take(self, count: int) -> list[int]:
        """Pages that were free, each held once: the first that follow one another, or else the first of all.
        Raises ValueError where there are too few."""
        if count > self.num_free:
            raise ValueError(f"{count} pages are wanted and {self.num_free} are free")
        pages = self._first_run(count) or self._first_free(count)
        self.hold(pages)
        return pages

    def hold(self, pages: Iterable[int]) -> None:
        """One more holder of each."""
        for page in pages:
            self.num_free -= self._holders[page] == 0
            self._holders[page] += 1

    def let_go(self, pages: Iterable[int]) -> None:
        """One holder less of each. Raises ValueError for a page that nobody holds."""
        for page in pages:
            if not self._holders[page]:
                raise ValueError(f"page {page} is free already")
            self._holders[page] -= 1
            self.num_free += self._holders[page] == 0

    def is_shared(self, page: int) -> bool:
        return self._holders[page] > 1

    def _first_run(self, count: int) -> list[int]:
        """Empty where no run is long enough."""
        start = 0
        for page, holders in enumerate(self._holders):
            if holders:
                start = page + 1
            elif page - start + 1 == count:
                return list(range(start, page + 1))
        return []

    def _first_free(self, count: int) -> list[int]:
        return [page for page, holders in enumerate(self._holders) if not holders][:count]
