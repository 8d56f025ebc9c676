"""From the name of a model to the folder that holds it."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from tasks.model.errors import ModelError, reason
from tasks.model.names import SHIPPED, is_hub_id, is_shipped

#: The small GPT-Neo that comes with NeoServe.
SHIPPED_MODEL = Path(__file__).with_name(SHIPPED)

#: Hub ids (lower case) that may be named without a revision, and the one they then mean.
PINNED_REVISIONS = {"eleutherai/gpt-neo-125m": "21def0189f5705e2521767faed922f1f15e7d7db"}

#: All that is ever fetched: no pickled weights, no code.
HUB_FILES = (
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
)

#: How long the hub may take for the first answer.
HUB_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    model_id: str  #: The name to show: no path of this machine.
    revision: str  #: Commit of the hub; empty for a local folder.
    folder: Path


def find(name: str, revision: str | None) -> Source:
    """Locate a model, from the hub where it is not local.

    `name` is a folder, a hub id, or "stories" (as is the empty name) for the shipped model.
    Raises ModelError.
    """
    if is_shipped(name):
        return _local(SHIPPED, SHIPPED_MODEL, revision)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _local(folder.resolve().name, folder, revision)
    if is_hub_id(name):
        return _from_hub(name, revision or PINNED_REVISIONS.get(name.lower()))
    raise ModelError(f"there is no model folder {name}: name an existing folder or a hub id as owner/name")


def _local(model_id: str, folder: Path, revision: str | None) -> Source:
    if revision:
        raise ModelError(f"the model folder {folder} is local and has no revision: leave the revision unset")
    return Source(model_id=model_id, revision="", folder=folder)


def _from_hub(name: str, revision: str | None) -> Source:
    if revision is None or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise ModelError(
            f"the hub model {name} is not pinned: give its revision as a full commit hash of 40 characters"
            " (there is also no local folder of this name)"
        )
    try:
        folder = _fetch(name, revision)
    except Exception as error:  # The HTTP library below the hub's client brings a tree of errors of its own.
        raise ModelError(
            f"the hub model {name} at {revision} cannot be fetched ({reason(error)}): check name, revision"
            " and network, or name a local folder"
        ) from error
    return Source(model_id=name, revision=revision, folder=Path(folder))


def _fetch(name: str, revision: str) -> str:
    """Asks once before it fetches: without network the hub's client alone would try for half a minute."""
    # It has a handler of its own for its lines, which also reach ours.
    logging.getLogger("huggingface_hub").handlers.clear()
    try:
        HfApi().model_info(name, revision=revision, timeout=HUB_PATIENCE_SECONDS)
    except Exception:  # As above.
        cached = _cached(name, revision)
        if cached is None:
            raise
        return cached
    return snapshot_download(name, revision=revision, allow_patterns=list(HUB_FILES))


def _cached(name: str, revision: str) -> str | None:
    try:
        return snapshot_download(
            name, revision=revision, allow_patterns=list(HUB_FILES), local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
