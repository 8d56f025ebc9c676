"""Models of real size, as folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tasks.model.loading import SHIPPED_MODEL
from tests.models import build_random_model


@pytest.fixture(scope="session")
def gpt_neo_125m_folder() -> Iterator[Path]:
    with TemporaryDirectory() as folder:  # Half a gigabyte: not kept, as pytest's own folders are.
        yield build_random_model(folder, "125m")


@pytest.fixture(scope="session")
def shipped_folder() -> Path:
    folder = Path(SHIPPED_MODEL)
    if not (folder / "model.safetensors").exists():
        if os.environ.get("CI"):
            pytest.fail(f"the shipped model is missing in {folder}")
        pytest.skip(f"the shipped model is not in {folder} yet: tasks/model/train_stories.py makes it")
    return folder
