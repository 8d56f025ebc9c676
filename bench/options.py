"""Types of the benchmarks' options: a value that cannot be run is refused before anything is."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import TypeVar

Kind = TypeVar("Kind")


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def whole(text: str) -> int:
    """A whole number, 0 too."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def several(kind: Callable[[str], Kind]) -> Callable[[str], list[Kind]]:
    """A list with commas in it, each part as `kind` reads it."""

    def parse(text: str) -> list[Kind]:
        return [kind(part) for part in text.split(",")]

    return parse


def one_of(names: Iterable[str]) -> Callable[[str], str]:
    choices = tuple(map(str, names))

    def parse(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(choices)}")
        return text

    return parse
