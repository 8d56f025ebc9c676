"""`python -m tasks.model.bake MODEL REVISION FOLDER`: what an image needs to serve a model without the hub.

A model of the hub lies in the hub's cache afterwards, which HF_HOME names; a folder is copied into FOLDER
under the same relative name; the shipped model is with the code.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tasks.model.errors import ModelError
from tasks.model.folder import read_config, weight_files
from tasks.model.names import is_shipped
from tasks.model.source import HUB_FILES, find


def bake(name: str, revision: str, target: Path) -> None:
    """Raises ModelError where there is no such model, or it is no GPT-Neo with weights as safetensors."""
    target.mkdir(parents=True, exist_ok=True)
    source = find(name, revision or None)
    if is_shipped(name):
        return
    read_config(source.folder)
    weight_files(source.folder)
    if not source.revision:
        _copy(source.folder, target / name)


def _copy(folder: Path, target: Path) -> None:
    """What the hub would be asked for, and nothing else that lies there."""
    target.mkdir(parents=True)
    for pattern in HUB_FILES:
        for file in folder.glob(pattern):
            # Not with its rights: safetensors lets the owner alone read weights, who is not in the image.
            shutil.copyfile(file, target / file.name)
            (target / file.name).chmod(0o644)


def main(arguments: Sequence[str]) -> str | None:
    """The reason why not, for sys.exit."""
    if len(arguments) != 3:
        return "usage: python -m tasks.model.bake MODEL REVISION FOLDER"
    name, revision, target = arguments
    try:
        bake(name, revision, Path(target))
    except ModelError as error:
        return f"neoserve: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
