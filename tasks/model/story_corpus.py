"""The stories that the shipped model is trained on: reading, tokenizing, and rows of tokens."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END = "<|endoftext|>"
VOCABULARY_SIZE = 4096
#: The last stories of the corpus; they are never trained on.
NUM_HELD_OUT = 200


def read_stories(corpus: Path) -> list[str]:
    """The stories of a (gzipped) text file in which each ends with a line that holds only the end mark."""
    opener = gzip.open if corpus.suffix == ".gz" else open
    with opener(corpus, "rt", encoding="utf-8") as file:
        return [story.strip() for story in file.read().split(END) if story.strip()]


def train_tokenizer(stories: list[str]) -> tuple[Tokenizer, int]:
    """A byte-level BPE as GPT-2's, so that any text can be encoded; also the id of its end mark."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(stories, trainer)
    return tokenizer, tokenizer.encode(END).ids[0]


def rows(
    stories: list[list[int]], end_id: int, length: int, rng: random.Random, aligned: bool
) -> Iterator[list[int]]:
    """Rows of `length` + 1 tokens: shuffled stories joined by the end mark.

    An aligned row begins where a story begins, as a prompt does; the others go on where the last
    row stopped, so that no ending is always cut.
    """
    order = rng.sample(stories, len(stories))
    row: list[int] = []
    for story in order:
        row += [*story, end_id]
        while len(row) > length:
            yield row[: length + 1]
            row = [] if aligned else row[length:]
