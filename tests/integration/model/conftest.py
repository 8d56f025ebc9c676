"""Models of real size, as folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tasks.model.loading import SHIPPED_MODEL
from tests.models import build_random_model
from tests.services import require_service


@pytest.fixture(scope="session")
def gpt_neo_125m_folder() -> Iterator[Path]:
    with TemporaryDirectory() as folder:  # Half a gigabyte: not kept, as pytest's own folders are.
        yield build_random_model(folder, "125m")


@pytest.fixture(scope="session")
def shipped_folder() -> Path:
    folder = Path(SHIPPED_MODEL)
    require_service((folder / "model.safetensors").exists(), f"the shipped model is not in {folder}")
    return folder
