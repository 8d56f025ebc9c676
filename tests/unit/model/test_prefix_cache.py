"""Which beginnings of prompts are held, and which leave first."""

from __future__ import annotations

import pytest

from tasks.model.pages import PAGE_TOKENS, Pages
from tasks.model.prefix_cache import PrefixCache


def text(letters: str) -> tuple[int, ...]:
    """A page of tokens for each letter."""
    return tuple(ord(letter) for letter in letters for _ in range(PAGE_TOKENS))


@pytest.fixture
def pages() -> Pages:
    return Pages(100)


@pytest.fixture
def cache(pages: Pages) -> PrefixCache:
    """Room for four."""
    return PrefixCache(pages, range(10, 14))


def hold(cache: PrefixCache, pages: Pages, letters: str) -> None:
    """As a sequence does that runs this prompt and leaves."""
    taken = pages.take(len(letters))
    for end in range(1, len(letters) + 1):
        cache.add(text(letters[:end]), taken[end - 1])
    pages.let_go(taken)


def held(cache: PrefixCache, letters: str) -> int:
    """How many pages of this prompt are held."""
    return len(cache.find(text(letters)))


def test_whole_pages_that_are_the_same_from_the_first_token_on_are_found(
    cache: PrefixCache, pages: Pages
) -> None:
    hold(cache, pages, "abc")
    assert [held(cache, each) for each in ("abc", "abcd", "ab", "abd", "bc", "xbc", "")] == [
        3,
        3,
        2,
        2,
        0,
        0,
        0,
    ]
    assert len(cache.find(text("abc")[:-1])) == 2
    assert len(cache.find((*text("a"), *text("b")[1:], 0))) == 1


class OneHash(int):
    """All of them have the same hash."""

    def __hash__(self) -> int:
        return 1


def test_prompts_whose_hashes_collide_are_told_apart(cache: PrefixCache, pages: Pages) -> None:
    first = tuple(OneHash(token) for token in range(PAGE_TOKENS))
    second = (*first[:-1], OneHash(-1))
    assert hash(first) == hash(second)
    (page,) = pages.take(1)
    assert cache.add(first, page) is not None
    assert cache.find(second) == []
    assert [each.page for each in cache.find(first)] == [page]


def test_each_prefix_has_its_page_and_a_ring_of_its_own(cache: PrefixCache, pages: Pages) -> None:
    hold(cache, pages, "abcd")
    chain = cache.find(text("abcd"))
    assert [each.page for each in chain] == [0, 1, 2, 3]
    assert sorted(each.ring for each in chain) == [10, 11, 12, 13]


def test_what_is_held_is_not_held_twice(cache: PrefixCache, pages: Pages) -> None:
    hold(cache, pages, "ab")
    hold(cache, pages, "ab")
    assert len(cache) == 2
    assert pages.num_free == 98


def test_a_page_whose_beginning_is_not_held_is_refused(cache: PrefixCache, pages: Pages) -> None:
    (page,) = pages.take(1)
    assert cache.add(text("ab"), page) is None
    assert len(cache) == 0


def test_the_one_that_nobody_asked_for_longest_makes_room(cache: PrefixCache, pages: Pages) -> None:
    for letter in "abcd":
        hold(cache, pages, letter)
    assert held(cache, "a") == 1
    hold(cache, pages, "e")
    assert [held(cache, letter) for letter in "abcde"] == [1, 0, 1, 1, 1]
    assert pages.num_free == 96


def test_the_end_of_a_prompt_leaves_before_its_beginning(cache: PrefixCache, pages: Pages) -> None:
    hold(cache, pages, "abc")
    hold(cache, pages, "xy")
    assert (held(cache, "abc"), held(cache, "xy")) == (2, 2)
    assert cache.evict()
    assert (held(cache, "abc"), held(cache, "xy")) == (1, 2)


def test_a_beginning_that_is_asked_for_alone_does_not_cut_off_what_goes_on(
    cache: PrefixCache, pages: Pages
) -> None:
    hold(cache, pages, "ab")
    hold(cache, pages, "ac")
    held(cache, "ab")
    cache.evict()
    assert (held(cache, "ac"), held(cache, "ab")) == (1, 2)


def test_a_prompt_longer_than_the_room_keeps_its_beginning(cache: PrefixCache, pages: Pages) -> None:
    hold(cache, pages, "abcdefg")
    assert held(cache, "abcdefg") == 4
    assert len(cache) == 4


def test_pages_that_a_sequence_holds_too_are_not_spare(cache: PrefixCache, pages: Pages) -> None:
    hold(cache, pages, "ab")
    assert cache.num_spare_pages == 2
    pages.hold([cache.find(text("a"))[0].page])
    assert cache.num_spare_pages == 1
    while cache.evict():
        pass
    assert (cache.num_spare_pages, pages.num_free, len(cache)) == (0, 99, 0)


def test_pages_are_made_free_by_those_that_no_sequence_holds_and_no_more_than_needed(
    cache: PrefixCache, pages: Pages
) -> None:
    for letter in "abcd":
        hold(cache, pages, letter)
    pages.hold(each.page for each in cache.find(text("a")))
    for letter in "bcd":
        held(cache, letter)
    cache.make_free(98)
    assert ([held(cache, letter) for letter in "abcd"], pages.num_free) == ([1, 0, 0, 1], 98)
    cache.make_free(100)
    assert ([held(cache, letter) for letter in "abcd"], pages.num_free) == ([1, 0, 0, 0], 99)


def test_what_nobody_would_find_any_more_leaves_with_its_beginning(cache: PrefixCache, pages: Pages) -> None:
    hold(cache, pages, "abc")
    pages.hold(each.page for each in cache.find(text("abc"))[1:])
    cache.make_free(100)
    assert (len(cache), pages.num_free) == (0, 98)
    hold(cache, pages, "wxyz")
    assert held(cache, "wxyz") == 4, "their rings are free again"


def test_without_room_nothing_is_held(pages: Pages) -> None:
    cache = PrefixCache(pages, range(0))
    hold(cache, pages, "a")
    assert len(cache) == 0
    assert pages.num_free == 100
    assert not cache.evict()
