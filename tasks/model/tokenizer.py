"""Reading the tokenizer of a model folder."""

from __future__ import annotations

import json
import string
from pathlib import Path

from tokenizers import Tokenizer
from transformers import GPT2Tokenizer

from tasks.model.errors import ModelError, reason

#: Embedding rows beyond the tokenizer's tokens that count as padding: vocabularies are rounded up for speed.
MAX_PADDING_ROWS = 1024


def tokenizer_files(folder: Path) -> list[Path]:
    """What read_tokenizer() reads; empty where it is missing."""
    # Older checkpoints hold GPT-2's two files instead of one.
    for names in (("tokenizer.json",), ("vocab.json", "merges.txt")):
        files = [folder / name for name in names]
        if all(file.exists() for file in files):
            return files
    return []


def read_tokenizer(folder: Path) -> str:
    """The tokenizer as one JSON text, without truncation and padding. Raises ModelError."""
    path = folder / "tokenizer.json"
    files = tokenizer_files(folder)
    if not files:
        raise ModelError(f"{path} is missing: save the model's tokenizer into its folder")
    try:
        if files == [path]:
            tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
        else:
            tokenizer = GPT2Tokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer
    except Exception as error:  # The tokenizers library raises plain Exception.
        raise ModelError(
            f"{path} cannot be read ({reason(error)}): save or fetch the tokenizer again"
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    text: str = tokenizer.to_str()
    _check_byte_level(text, path)
    if not tokenizer.encode(string.printable).ids:
        raise ModelError(
            f"{folder}: the tokenizer knows no text, its vocabulary is empty: save or fetch the"
            " tokenizer again"
        )
    return text


def check_vocabulary(tokenizer: Tokenizer, vocabulary_size: int, folder: Path) -> None:
    """Raises ModelError where tokenizer and weights cannot belong together."""
    largest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if not 0 <= vocabulary_size - (largest + 1) <= MAX_PADDING_ROWS:
        raise ModelError(
            f"{folder}: the tokenizer has {largest + 1} tokens and the model {vocabulary_size}: they do not"
            " belong together, put the model's own tokenizer there"
        )


def _check_byte_level(tokenizer_json: str, path: Path) -> None:
    decoder = (json.loads(tokenizer_json).get("decoder") or {}).get("type")
    if decoder != "ByteLevel":
        raise ModelError(
            f"{path} decodes with {decoder}: only byte-level tokenizers (as GPT-2's) are served, put the"
            " model's own tokenizer there"
        )
