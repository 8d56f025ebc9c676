"""Beginnings of prompts whose keys and values are held for the next prompt that begins so."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence as Rows
from dataclasses import dataclass, field

from tasks.model.pages import PAGE_TOKENS, Pages

#: The tokens of one page: compared one by one where their hashes are the same.
PageIds = tuple[int, ...]


@dataclass(eq=False, slots=True)
class Prefix:
    """The first tokens of a prompt: those of `parent`, and a page of them more."""

    siblings: dict[PageIds, Prefix]  #: Prefixes with the same parent, this one among them.
    token_ids: PageIds
    page: int  #: Keys and values of those tokens, in the layers that see everything.
    ring: int  #: What the rings of the other layers held after the last of them.
    longer: dict[PageIds, Prefix] = field(default_factory=dict)


class PrefixCache:
    """A tree of prefixes, as many as there are rings for. The one that nobody asked for longest leaves first.

    Arithmetic only: whoever calls `add` copies the rings. Whoever asks for a prefix asks for all it begins
    with, and these count as asked for later. So the oldest of all has never a longer one.
    """

    def __init__(self, pages: Pages, rings: Rows[int]) -> None:
        self._pages = pages
        self._free_rings = list(reversed(rings))
        self._roots: dict[PageIds, Prefix] = {}
        self._by_age: OrderedDict[Prefix, None] = OrderedDict()  #: Least recently asked for first.

    def __len__(self) -> int:
        return len(self._by_age)

    @property
    def num_spare_pages(self) -> int:
        """Pages that would be free if everything left."""
        return sum(not self._pages.is_shared(prefix.page) for prefix in self._by_age)

    def find(self, token_ids: Rows[int]) -> list[Prefix]:
        """The prefixes of `token_ids`, shortest first, one for each whole page that is held."""
        chain: list[Prefix] = []
        level = self._roots
        for start in range(0, len(token_ids) - PAGE_TOKENS + 1, PAGE_TOKENS):
            prefix = level.get(tuple(token_ids[start : start + PAGE_TOKENS]))
            if prefix is None:
                break
            chain.append(prefix)
            level = prefix.longer
        for prefix in reversed(chain):
            self._by_age.move_to_end(prefix)
        return chain

    def add(self, token_ids: Rows[int], page: int) -> Prefix | None:
        """Hold `page`, which is full and holds the last of `token_ids`, whole pages. None where this is held
        already, what it begins with is not, or that alone takes all the room."""
        chain = self.find(token_ids)
        if (len(chain) + 1) * PAGE_TOKENS != len(token_ids):
            return None
        if not self._free_rings and not (len(self) > len(chain) and self.evict()):
            return None
        siblings = chain[-1].longer if chain else self._roots
        last_ids = tuple(token_ids[-PAGE_TOKENS:])
        prefix = Prefix(siblings, last_ids, page, self._free_rings.pop())
        siblings[last_ids] = prefix
        self._pages.hold([page])
        self._by_age[prefix] = None
        for each in reversed(chain):
            self._by_age.move_to_end(each)
        return prefix

    def evict(self) -> bool:
        """Give up the oldest; whether there was one."""
        oldest = next(iter(self._by_age), None)
        if oldest is not None:
            self._remove(oldest)
        return oldest is not None

    def make_free(self, num_pages: int) -> None:
        """Give up as many as free so many pages, the oldest first. Those whose page a sequence holds too
        free nothing and stay."""
        while self._pages.num_free < num_pages:
            spare = next((each for each in self._by_age if not self._pages.is_shared(each.page)), None)
            if spare is None:
                return
            self._remove(spare)

    def _remove(self, prefix: Prefix) -> None:
        """With all that nobody would find without it."""
        for longer in tuple(prefix.longer.values()):
            self._remove(longer)
        del prefix.siblings[prefix.token_ids], self._by_age[prefix]
        self._pages.let_go([prefix.page])
        self._free_rings.append(prefix.ring)
