"""Streamed text is the text, and no character is ever broken."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer

from tasks.model.detokenizer import ByteLevelDetokenizer, token_bytes
from tests.models import GPT2_TOKENIZER, small_tokenizer


@cache
def tokenizer(name: str) -> Tokenizer:
    if name == "gpt2":
        return Tokenizer.from_file(str(GPT2_TOKENIZER / "tokenizer.json"))
    made = small_tokenizer()
    made.add_tokens(["plain words", "ünïcode", AddedToken("solid", special=False)])
    made.add_special_tokens(["<|more|>"])
    return made


@cache
def table(name: str) -> list[bytes]:
    return token_bytes(tokenizer(name))


NAMES = pytest.mark.parametrize("name", ["gpt2", "small"])


@NAMES
@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60))
@example(text="Hello 👩‍👩‍👧 naïve 雪だるま ☃ \ufffd \x00 plain words solid<|more|>")
def test_the_pieces_of_an_encoded_text_join_to_it(name: str, text: str) -> None:
    ids = tokenizer(name).encode(text).ids
    detokenizer = ByteLevelDetokenizer(table(name))
    pieces = [detokenizer.add(id_) for id_ in ids]
    # Only what is in the text itself may be a replacement character: a piece never ends inside a character.
    assert "".join(pieces).count("\ufffd") == text.count("\ufffd")
    assert detokenizer.flush() == ""
    assert "".join(pieces) == tokenizer(name).decode(ids, skip_special_tokens=True)


@NAMES
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_pieces_of_any_tokens_join_to_what_the_tokenizer_decodes(name: str, data: st.DataObject) -> None:
    size = tokenizer(name).get_vocab_size(with_added_tokens=True)
    # The first 256 ids or so are single bytes: most of their sequences are no valid UTF-8.
    ids = data.draw(st.lists(st.integers(0, 257) | st.integers(0, size - 1), max_size=12))
    detokenizer = ByteLevelDetokenizer(table(name))
    text = "".join(detokenizer.add(id_) for id_ in ids) + detokenizer.flush()
    assert text == tokenizer(name).decode(ids, skip_special_tokens=True)


def test_a_character_appears_with_the_token_that_completes_it() -> None:
    ids = tokenizer("gpt2").encode("雪").ids
    assert len(ids) > 1
    detokenizer = ByteLevelDetokenizer(table("gpt2"))
    assert [detokenizer.add(id_) for id_ in ids] == [""] * (len(ids) - 1) + ["雪"]


def test_an_unfinished_character_is_replaced_at_the_end() -> None:
    detokenizer = ByteLevelDetokenizer(table("gpt2"))
    assert detokenizer.add(tokenizer("gpt2").encode("☃").ids[0]) == ""
    assert detokenizer.flush() == "\ufffd"


def test_ids_beyond_the_tokenizer_have_no_text() -> None:
    detokenizer = ByteLevelDetokenizer(table("small"))
    assert detokenizer.add(len(table("small"))) == ""
