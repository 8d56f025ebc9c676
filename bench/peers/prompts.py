"""Prompts that mean the same to every peer, whether it wants numbers or a text."""

from __future__ import annotations

import random
import re
from pathlib import Path

from tokenizers import Tokenizer


def word_prompts(folder: Path, count: int, length: int) -> list[list[int]]:
    """`count` prompts of `length` random words. Each word is one token, whatever stands before it: decoding
    a prompt and encoding the text gives the same tokens."""
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    words = sorted(token_id for word, token_id in vocabulary.items() if re.fullmatch("Ġ[a-z]{2,}", word))
    rng = random.Random(count * length)
    return [rng.choices(words, k=length) for _ in range(count)]
