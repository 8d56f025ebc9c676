"""A model in the image needs no hub and no network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until

from .command import CommandFailed
from .container import running
from .engine import ROOT, Engine
from .repository import files

REVISION = "0123456789abcdef0123456789abcdef01234567"


def assert_warm(engine: Engine, image: str, model: str, *options: str) -> None:
    """Its worker computes; without Redis it is live and not ready."""
    with running(engine, image, *options) as container:

        def live() -> bool:
            assert engine.inspect(container.name)["State"]["Running"], container.logs()
            try:
                container.exec("bash", "tasks/worker/probe.sh", "live")
            except CommandFailed:
                return False
            return True

        wait_until(live, f"the worker with {model} is live", seconds=60)
        assert f"model {model} is warm" in container.logs()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build sees of this repository, in a folder where a model may be added."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in files("tasks", "models", "requirements", ".dockerignore"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "tasks/model/stories", folder / "models/tales")
    # As safetensors saves weights. The image runs as another user.
    (folder / "models/tales/model.safetensors").chmod(0o600)
    return folder


@pytest.fixture
def tag(engine: Engine) -> Iterator[str]:
    yield "neoserve-tests/worker:baked"
    engine.docker("rmi", "--force", "neoserve-tests/worker:baked")


def test_the_shipped_model_starts_without_network(engine: Engine, images: dict[str, str]) -> None:
    assert_warm(engine, images["worker"], "stories")


def test_a_folder_is_baked_in_by_a_build_argument(engine: Engine, checkout: Path, tag: str) -> None:
    engine.build(tag, ROOT / "Dockerfile.worker", context=checkout, MODEL="models/tales")
    assert_warm(engine, tag, "tales")


def test_a_model_that_cannot_be_served_ends_the_build(engine: Engine, checkout: Path) -> None:
    shutil.copytree(checkout / "models/tales", checkout / "models/unsafe")
    (checkout / "models/unsafe/model.safetensors").rename(checkout / "models/unsafe/pytorch_model.bin")
    with pytest.raises(CommandFailed, match="can run code when it is read"):
        engine.build(
            "neoserve-tests/worker:none", ROOT / "Dockerfile.worker", context=checkout, MODEL="models/unsafe"
        )


def test_a_model_of_the_hub_is_found_where_the_build_puts_it(
    engine: Engine, images: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "tasks/model/stories", tmp_path / "hub/models--owner--name/snapshots" / REVISION)
    tmp_path.chmod(0o755)
    options = ("--env", "NEOSERVE_MODEL=owner/name", "--env", f"NEOSERVE_MODEL_REVISION={REVISION}")
    assert_warm(engine, images["worker"], "owner/name", *options, "--volume", f"{tmp_path}:/app/hub:ro")
