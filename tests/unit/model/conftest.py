from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from transformers import GPTNeoForCausalLM

from tasks.model.loading import LoadedModel, load
from tests.models import build_small_model
from tests.reference import read_network


@pytest.fixture(scope="session")
def pristine_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small_model(tmp_path_factory.mktemp("model") / "small")


@pytest.fixture(scope="session")
def small_model(pristine_folder: Path) -> LoadedModel:
    return load(str(pristine_folder))


@pytest.fixture(scope="session")
def small_network(pristine_folder: Path) -> GPTNeoForCausalLM:
    """The same model as transformers runs it."""
    return read_network(pristine_folder)


@pytest.fixture
def folder(pristine_folder: Path, tmp_path: Path) -> Path:
    """A model folder of the test's own, to break."""
    return Path(shutil.copytree(pristine_folder, tmp_path / "small"))
