"""The examples of docs/api.md, pasted one after the other as the page says: the whole round with curl."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.e2e.conftest import StartUp
from tests.e2e.printed import Example, examples, missing
from tests.e2e.terminal import bare_environ
from tests.services import require_service

PAGE = Path(__file__).parents[2] / "docs/api.md"


def paste(blocks: list[Example], folder: Path, port: int) -> list[str]:
    """What a shell in `folder` prints for each of them."""
    mark = uuid.uuid4().hex
    script = f"printf '%s\\n' {mark}\n".join(each.lines for each in blocks)
    done = subprocess.run(
        ["bash"],
        input=script.replace("localhost:8080", f"localhost:{port}"),
        cwd=folder,
        env=bare_environ(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.stdout.replace("\r", "").split(f"{mark}\n")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_example_prints_what_the_page_shows(start_up: StartUp, tmp_path: Path) -> None:
    require_service(shutil.which("jq") is not None, "the examples of docs/api.md need jq")
    up = start_up(NEOSERVE_MAX_BATCH_SIZE="1", NEOSERVE_MAX_QUEUED="3")
    up.wait_until_ready()
    blocks = examples(PAGE.read_text(encoding="utf-8"))
    printed = paste(blocks, tmp_path, up.port)
    assert len(printed) == len(blocks)
    for block, output in zip(blocks, printed, strict=True):
        assert (line := missing(block, output)) is None, f"{line}\nof\n{block.lines}\nwhich printed\n{output}"
