"""TEXT, as an argument or on standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from client.errors import WrongUsage


def text_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Hands on `words`, for `read_text`: several at once are a text without its quotes."""
    return click.argument("words", nargs=-1, metavar="TEXT")(function)


def read_text(words: tuple[str, ...]) -> str:
    """The one word; for `-` or none, standard input less one newline at its end. Raises WrongUsage."""
    if len(words) > 1:
        raise WrongUsage("There is more than one TEXT. Put TEXT in quotes.")
    if not words and sys.stdin.isatty():
        raise WrongUsage("There is no TEXT. Put it in quotes; `-` reads standard input.")
    try:
        if words in ((), ("-",)):
            return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n")
        words[0].encode("utf-8")  # bytes of an argument that are no UTF-8 come as lone surrogates
    except UnicodeError:
        raise WrongUsage("TEXT is not valid UTF-8.") from None
    return words[0]
