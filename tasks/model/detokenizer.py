"""From tokens to text, one token at a time."""

from __future__ import annotations

import codecs

from tokenizers import Tokenizer


def _byte_of_character() -> dict[str, int]:
    """GPT-2's alphabet: bytes that print stand for themselves, the others for characters from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


BYTE_OF_CHARACTER = _byte_of_character()


def token_bytes(tokenizer: Tokenizer) -> list[bytes]:
    """The bytes of every token by its id; special tokens and ids without a token have none."""
    special = {id_ for id_, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    table = [b""] * (max(vocabulary.values(), default=-1) + 1)
    for token, id_ in vocabulary.items():
        if id_ not in special:
            table[id_] = _bytes_of(token)
    return table


def _bytes_of(token: str) -> bytes:
    try:
        return bytes(BYTE_OF_CHARACTER[character] for character in token)
    except KeyError:
        # A token added as plain text, outside of the alphabet.
        return token.encode()


class ByteLevelDetokenizer:
    """Text of one sequence of byte-level tokens; never a part of a character.

    The pieces joined equal `Tokenizer.decode` of all tokens with special ones skipped.
    """

    def __init__(self, table: list[bytes]) -> None:
        self._table = table
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def add(self, token_id: int) -> str:
        piece = self._table[token_id] if token_id < len(self._table) else b""
        return self._decoder.decode(piece)

    def flush(self) -> str:
        return self._decoder.decode(b"", final=True)
