"""What several commands print."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

#: What a terminal would obey instead of showing it, but for tabs and line feeds; the last two ranges turn the
#: rest of a line round (https://trojansource.codes).
_CONTROLS = dict.fromkeys(
    (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"
)


def printable(text: str) -> str:
    return text.translate(_CONTROLS)


def print_text(text: str) -> None:
    """What a model wrote: to a pipe as it is."""
    click.echo(printable(text) if sys.stdout.isatty() else text)


def print_json(raw: Any) -> None:
    """Indented for people; one line for a pipe."""
    click.echo(json.dumps(raw, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def print_json_line(raw: Any) -> None:
    """Of several objects, one on each line, to a terminal too."""
    click.echo(json.dumps(raw, ensure_ascii=False))


def how_to_follow(job_id: str, url: str | None) -> str:
    """The command; with the address when that was given as an option."""
    return f"Follow it with: neoserve wait {job_id}{f' --url {url}' if url else ''}"
