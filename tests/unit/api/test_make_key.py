"""A container's own key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from api.keyring import Keyring


def test_the_key_that_it_prints_is_the_one_that_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    command = [sys.executable, "-m", "api.make_key", "local", str(file)]
    first, second = (
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() for _ in range(2)
    )
    ring = Keyring([], file)
    assert [ring.owner(first), ring.owner(second)] == [None, "local"]
