"""What a model folder must hold before anything in it is trusted."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from tasks.model.errors import ModelError, reason

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ModelError where the file is missing or is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{path} is missing: the folder is not a complete model, save or fetch it again"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({reason(error)}): save or fetch the model again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} is not a JSON object: save or fetch the model again")
    return value


def read_config(folder: Path) -> dict[str, Any]:
    """The model's config.json. Raises ModelError for anything that is not a plain GPT-Neo."""
    config = read_json(folder / "config.json")
    model_type = config.get("model_type")
    if model_type != "gpt_neo":
        raise ModelError(
            f"{folder / 'config.json'} describes a model of type {model_type!r}: name a GPT-Neo ('gpt_neo')"
        )
    for name in ("config.json", "tokenizer_config.json"):
        if "auto_map" in (read_json(folder / name) if (folder / name).exists() else {}):
            raise ModelError(
                f"{folder / name} names code of its own (auto_map), which is never run: remove the entry if"
                " the model is a plain GPT-Neo"
            )
    return config


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of the weights, each complete. Raises ModelError."""
    if (folder / SINGLE).exists():
        files = [folder / SINGLE]
    elif (folder / INDEX).exists():
        files = [folder / name for name in _shards(folder / INDEX)]
    else:
        files = []
    if not files:
        pickled = next(iter(sorted(folder.glob("pytorch_model*.bin"))), None)
        found = f"only {pickled.name}, which can run code when it is read" if pickled else "no weights"
        raise ModelError(f"{folder} holds {found}: save the model as {SINGLE} (safe_serialization)")
    for file in files:
        _check_weights(file)
    return files


def _shards(index: Path) -> list[str]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise ModelError(
            f"{index}: weight_map must name the file of each tensor: save or fetch the model again"
        )
    return sorted(set(weight_map.values()))


def _check_weights(file: Path) -> None:
    try:
        # safetensors would say of a file of somebody else's that there is none.
        file.open("rb").close()
        # Opening compares the sizes that the header promises with the file's.
        with safe_open(file, framework="pt"):
            pass
    except PermissionError:
        raise ModelError(
            f"{file} may not be read by user {os.getuid()}, as whom this runs: give others the right with"
            f" `chmod -R a+rX {file.parent}`"
        ) from None
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{file} is missing, truncated or damaged ({reason(error)}): fetch or save it again"
        ) from error


def fingerprint(files: list[Path]) -> str:
    """Short name for exactly this content: 12 hexadecimal digits.

    Of what lies in the files, not of what a library makes of it: with another release of that library the
    jobs that wait would be those of a model that nobody has.
    """
    whole = hashlib.sha256()
    for file in sorted(files, key=lambda each: each.name):
        with file.open("rb") as stream:
            whole.update(file.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()[:12]
