"""What `neoserve up` writes: its own lines and those of its children, each with the name of its source."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import IO

import click

_COLOURS = ("cyan", "magenta", "yellow", "blue", "green")


class Console:
    """Thread-safe. Colours only on a terminal that has them, and never where NO_COLOR is set.

    A reader that went away (`neoserve up | head`) is no reason to stop serving: its lines are dropped.
    """

    def __init__(self, stream: IO[str], *, width: int = 8) -> None:
        self._stream = stream
        self._width = width
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self._coloured = stream.isatty() and not plain
        self._colours: dict[str, str] = {}
        self._lock = threading.Lock()

    def line(self, source: str, text: str) -> None:
        label = source.ljust(self._width)
        if self._coloured:
            label = click.style(label, fg=self._colour(source), bold=source == "neoserve")
        self._write(f"{label}  {text}\n")

    def say(self, text: str) -> None:
        """A line of `neoserve up` itself."""
        self.line("neoserve", text)

    def block(self, text: str) -> None:
        """Text to read or to paste: on lines of its own, without a label."""
        self._write(f"\n{text}\n\n")

    def _colour(self, source: str) -> str:
        with self._lock:
            return self._colours.setdefault(source, _COLOURS[len(self._colours) % len(_COLOURS)])

    def _write(self, text: str) -> None:
        # BrokenPipeError: the reader is gone; OSError (EIO): the terminal is.
        with self._lock, contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
