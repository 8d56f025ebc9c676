"""The two images, each alone."""

from __future__ import annotations

import pytest

from .engine import Engine

both = pytest.mark.parametrize("part", ["api", "worker"])


@both
def test_the_process_inside_is_not_root(engine: Engine, images: dict[str, str], part: str) -> None:
    said = engine.docker("run", "--rm", "--network", "none", "--entrypoint", "id", images[part], "-u")
    assert said.strip() == "10001"
