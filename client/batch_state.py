"""What of `neoserve batch` outlives the command, beside its output."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from uuid import uuid4

from client.errors import WrongUsage


class BatchState:
    """The idempotency key of a batch that has not been read to its end.

    It is on the disk before the batch is sent, so whatever ends the command, the next one sends the same
    batch with the same key and is given the one that there is.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._path = output.with_name(output.name + ".batch")
        self._fresh = False

    def key_for(self, prompts: bytes) -> str:
        """Raises WrongUsage where the output, or another batch's state, is in the way."""
        digest = hashlib.sha256(prompts).hexdigest()
        if self._path.exists():
            return self._known_key(digest)
        if self._output.exists():
            raise WrongUsage(f"{self._output} is there already. Name another file with -o, or delete it.")
        key, self._fresh = uuid4().hex, True
        write_whole(self._path, json.dumps({"key": key, "prompts": digest}).encode())
        return key

    def finish(self, results: bytes) -> None:
        write_whole(self._output, results)
        self._path.unlink()

    def forget(self) -> None:
        """The batch was refused: where the key is new, nothing was ever recorded under it."""
        if self._fresh:
            self._path.unlink()

    def _known_key(self, digest: str) -> str:
        try:
            state = json.loads(self._path.read_bytes())
            key, prompts = str(state["key"]), state["prompts"]
        except (ValueError, KeyError, TypeError):
            raise WrongUsage(f"{self._path} is no state of a batch. Delete it to begin anew.") from None
        if prompts != digest:
            raise WrongUsage(
                f"{self._path} is of a batch with other prompts. Name another file with -o, or delete it."
            )
        return key


def write_whole(path: Path, content: bytes) -> None:
    """Whatever happens, `path` holds all of it or what it held before."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
