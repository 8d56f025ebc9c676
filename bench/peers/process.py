"""One peer as a running child, and why it does not run where it does not."""

from __future__ import annotations

import json
import os
import subprocess
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from bench.peers.protocol import Prompts

#: For a peer to end by itself, and then to end its servers.
END_SECONDS = 20
ROOT = Path(__file__).parents[2]


class PeerFailed(Exception):
    """It ended, or never began; says why in one line."""


@dataclass(frozen=True)
class Reply:
    seconds: float
    tokens: list[list[int]]


class PeerProcess:
    """Loads its model once, then answers."""

    def __init__(self, python: Path, module: str, *arguments: str) -> None:
        """Raises PeerFailed if it does not come up."""
        # Nothing may be fetched while others are measured, and what is asked for is on disk.
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            "PYTHONWARNINGS": "ignore",
        }
        self._process = subprocess.Popen(
            [str(python), "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        self._last_words: deque[str] = deque(maxlen=20)
        self._reader = Thread(target=self._listen, daemon=True)
        self._reader.start()
        self._read()

    def ask(self, prompts: Prompts, new_tokens: int) -> Reply:
        """Raises PeerFailed, also where the texts are not as long as asked for."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"prompts": prompts, "new_tokens": new_tokens}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failed() from None
        reply = self._read()
        if [len(text) for text in reply["tokens"]] != [new_tokens] * len(prompts):
            raise PeerFailed(
                f"wrote {[len(text) for text in reply['tokens']]} tokens, not {new_tokens} of each"
            )
        return Reply(reply["seconds"], reply["tokens"])

    def close(self) -> None:
        """End it; it ends by itself when nobody can ask it any more."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        for end in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(END_SECONDS)
                return
            except subprocess.TimeoutExpired:
                end()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._failed()
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.strip():
                self._last_words.append(line.strip())

    def _failed(self) -> PeerFailed:
        self._process.wait()
        self._reader.join(END_SECONDS)  # A process that it left behind may hold the pipe.
        return PeerFailed(self._last_words[-1] if self._last_words else f"exit {self._process.returncode}")
