"""Stop strings in a text that comes in pieces."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.engine.stop import StopMatcher

#: Few letters, so that stop strings do appear, overlap and begin in vain.
TEXT = st.text("ab\n", max_size=30)
STOPS = st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3).map(tuple)


def first_stop(text: str, stops: tuple[str, ...]) -> int | None:
    """Where the text ends, by looking at every beginning of it: the definition, slow and plain."""
    for end in range(len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if starts:
            return min(starts)
    return None


@given(text=TEXT, stops=STOPS, data=st.data())
def test_any_split_of_the_text_gives_the_result_of_the_whole(
    text: str, stops: tuple[str, ...], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    matcher = StopMatcher(stops)

    shown = "".join(matcher.add(piece) for piece in pieces) + matcher.flush()

    end = first_stop(text, stops)
    assert shown == text[:end]
    assert matcher.stopped == (end is not None)


@given(text=TEXT, stops=STOPS)
@example(text="aab", stops=("ab",))
def test_no_more_is_held_back_than_may_begin_a_stop_string(text: str, stops: tuple[str, ...]) -> None:
    matcher = StopMatcher(stops)
    shown = "".join(matcher.add(character) for character in text)
    if not matcher.stopped:
        held = text[len(shown) :]
        assert text.startswith(shown)
        assert not held or any(stop.startswith(held) for stop in stops)


@pytest.mark.parametrize(
    ("stops", "pieces", "shown"),
    [
        (("\n\n",), ["One.\n", "Two.\n", "\nThree."], ["One.", "\nTwo.", ""]),
        (("abc", "b"), ["abc"], ["a"]),  # "b" is complete before "abc" is
        (("ab", "b"), ["a", "b"], ["", ""]),  # both are complete at once: the longer one counts
        (("END",), ["the EN", "D and more", "still more"], ["the ", "", ""]),
        ((), ["as it", " is"], ["as it", " is"]),
    ],
)
def test_what_is_shown_after_each_piece(stops: tuple[str, ...], pieces: list[str], shown: list[str]) -> None:
    matcher = StopMatcher(stops)
    assert [matcher.add(piece) for piece in pieces] == shown
