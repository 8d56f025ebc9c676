"""A virtual environment for each peer, made once: their versions of the same packages exclude each other.

    .venv/bin/python -m bench.peers.environment openvino

The lists beside this file are complete, so nothing is resolved (`--no-deps`): what a peer would pull in
without need, such as the CUDA build of torch behind torchvision, never comes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.peers.process import PeerFailed

FOLDER = Path(__file__).parent
CACHE = FOLDER.parents[1] / ".bench" / "peers"
TORCH = "torch==2.13.0"
#: As in the Makefile: PyTorch's own index, because the plain one holds the CUDA build; empty: the plain one.
TORCH_INDEX = os.environ.get("TORCH_INDEX", "")


def python_of(name: str) -> Path:
    """The interpreter of the environment that bench/peers/NAME.txt describes, made anew if that has changed.
    Raises PeerFailed if it cannot be made."""
    folder, wanted = CACHE / name, f"{TORCH}\n{(FOLDER / f'{name}.txt').read_text(encoding='utf-8')}"
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"peers: making the environment of {name}", flush=True)
        if folder.exists():
            shutil.rmtree(folder)
        _run(sys.executable, "-m", "venv", str(folder))
        _install_torch(python)
        _pip(python, "--no-deps", "--requirement", str(FOLDER / f"{name}.txt"))
        stamp.write_text(wanted, encoding="utf-8")
    return python


def _install_torch(python: Path) -> None:
    try:
        _pip(python, "--no-deps", "--no-index", TORCH)  # A wheel that pip finds here, by PIP_FIND_LINKS.
    except PeerFailed:
        _pip(python, "--no-deps", *(("--index-url", TORCH_INDEX) if TORCH_INDEX else ()), TORCH)


def _pip(python: Path, *arguments: str) -> None:
    _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise PeerFailed(lines[-1] if lines else f"{' '.join(command[:4])}: exit {done.returncode}")


def main() -> None:
    for name in sys.argv[1:]:
        print(python_of(name))


if __name__ == "__main__":
    main()
