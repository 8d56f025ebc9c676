"""What is put into an image for a model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.model.bake import bake, main
from tasks.model.errors import ModelError
from tasks.model.loading import LoadedModel, load


@pytest.fixture
def models(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder below models/, as the build finds it."""
    (tmp_path / "models").mkdir()
    folder.rename(tmp_path / "models/small")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_is_served_under_the_name_it_had(
    models: Path, small_model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    bake("models/small", "", models / "baked")
    monkeypatch.chdir(models / "baked")
    model = load("models/small")
    assert (model.model_id, model.fingerprint) == ("small", small_model.fingerprint)


def test_only_what_the_hub_would_be_asked_for_is_taken(models: Path) -> None:
    for name in ("pytorch_model.bin", "train.py", "notes.txt"):
        (models / "models/small" / name).write_text("x")
    bake("models/small", "", models / "baked")
    taken = {each.name for each in (models / "baked/models/small").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= taken
    assert not taken & {"pytorch_model.bin", "train.py", "notes.txt"}


def test_what_its_owner_alone_may_read_is_for_everybody_in_the_image(models: Path) -> None:
    # As safetensors saves weights; the image runs as another user.
    (models / "models/small/model.safetensors").chmod(0o600)
    bake("models/small", "", models / "baked")
    modes = {each.stat().st_mode & 0o777 for each in (models / "baked/models/small").iterdir()}
    assert modes == {0o644}


def test_the_shipped_model_is_with_the_code(tmp_path: Path) -> None:
    bake("stories", "", tmp_path / "baked")
    assert list((tmp_path / "baked").iterdir()) == []


def test_a_model_without_safe_weights_ends_the_build(models: Path) -> None:
    os.rename(models / "models/small/model.safetensors", models / "models/small/pytorch_model.bin")
    with pytest.raises(ModelError, match="can run code when it is read"):
        bake("models/small", "", models / "baked")
    assert "can run code when it is read" in (main(["models/small", "", str(models / "baked")]) or "")


def test_a_hub_model_without_its_commit_ends_the_build(tmp_path: Path) -> None:
    assert "is not pinned" in (main(["owner/name", "", str(tmp_path)]) or "")


def test_it_says_how_to_use_it() -> None:
    assert "usage" in (main(["stories"]) or "")
