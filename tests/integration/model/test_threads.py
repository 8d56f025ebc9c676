"""The engine's thread computes with threads of its own, and no other thread keeps any."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COUNT = """
import os
import torch
from tasks.model.loading import load
from tasks.model.threads import release_team

def num_threads():
    return len(os.listdir("/proc/self/task"))

torch.set_num_threads(3)
before = num_threads()
torch.ones(2000, 2000) @ torch.ones(2000, 2000)
torch.ones(10**6).exp().sum()
assert num_threads() >= before + 2, "torch computes without OpenMP here"
load("")
print(num_threads() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_loading_leaves_no_team_behind() -> None:
    command = [sys.executable, "-c", COUNT]
    assert int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) <= 0
