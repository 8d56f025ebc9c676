"""From a name to a folder, and no further than the name allows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from time import monotonic

import huggingface_hub
import pytest

from tasks.model.loading import SHIPPED_MODEL, LoadedModel, ModelError, load
from tasks.model.source import PINNED_REVISIONS, find
from tests.services import free_port

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("name", "revision", "message"),
    [
        ("/no/such/folder", None, "no model folder /no/such/folder"),
        ("no-such-folder", None, "no model folder no-such-folder"),
        ("owner/name", None, "owner/name is not pinned"),
        ("owner/name", "main", "owner/name is not pinned"),
        ("EleutherAI/gpt-neo-1.3B", None, "not pinned: give its revision as a full commit hash"),
    ],
)
def test_a_name_that_cannot_be_found_is_refused(name: str, revision: str | None, message: str) -> None:
    with pytest.raises(ModelError, match=re.escape(message)):
        load(name, revision=revision)


def test_a_revision_of_a_local_folder_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="is local and has no revision"):
        load(str(folder), revision=REVISION)


@pytest.mark.parametrize("name", ["", "stories"])
def test_the_shipped_model_needs_no_path(name: str) -> None:
    source = find(name, None)
    assert (source.model_id, source.revision, source.folder) == ("stories", "", SHIPPED_MODEL)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no way to the hub."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def put_into_cache(cache: Path, name: str, revision: str, folder: Path) -> None:
    shutil.copytree(folder, cache / f"models--{name.replace('/', '--')}" / "snapshots" / revision)


def test_a_pinned_hub_model_loads_from_the_cache_without_the_hub(
    hub_cache: Path, pristine_folder: Path, small_model: LoadedModel
) -> None:
    put_into_cache(hub_cache, "owner/name", REVISION, pristine_folder)
    model = load("owner/name", revision=REVISION)
    assert (model.model_id, model.revision) == ("owner/name", REVISION)
    assert model.fingerprint == small_model.fingerprint


def test_gpt_neo_125m_may_be_named_without_its_revision(hub_cache: Path, pristine_folder: Path) -> None:
    (revision,) = PINNED_REVISIONS.values()
    put_into_cache(hub_cache, "EleutherAI/gpt-neo-125m", revision, pristine_folder)
    assert load("EleutherAI/gpt-neo-125m").revision == revision


@pytest.mark.usefixtures("hub_cache")
def test_a_hub_that_cannot_be_reached_is_one_clear_error() -> None:
    with pytest.raises(
        ModelError, match=f"owner/name at {REVISION} cannot be fetched .*check name, revision"
    ):
        load("owner/name", revision=REVISION)


def test_without_network_the_hub_is_asked_once(
    hub_cache: Path, pristine_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{free_port()}")
    began = monotonic()
    with pytest.raises(ModelError, match=r"cannot be fetched \(\[Errno \d+\] Connection refused\)"):
        find("owner/name", REVISION)
    put_into_cache(hub_cache, "owner/name", REVISION, pristine_folder)
    assert find("owner/name", REVISION).revision == REVISION
    assert monotonic() - began < 5
    assert "Retrying" not in caplog.text
