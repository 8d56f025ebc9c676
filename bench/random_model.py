"""The random GPT-Neo-125M that every benchmark runs, written once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.models import build_random_model

#: Of everything that benchmarks make and that may be deleted at any time; not in the repository.
CACHE = Path(__file__).parents[1] / ".bench"


def random_model() -> Path:
    """Its folder. The weights cost what trained ones cost, without a download; the tokenizer is GPT-2's."""
    folder = CACHE / "models" / "gpt-neo-125m-random"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            build_random_model(temporary, "125m").rename(folder)
            Path(temporary).mkdir()  # For the context to remove.
    return folder
