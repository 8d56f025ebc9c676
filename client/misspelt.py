"""Names in the environment that look like settings and are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

import click

from client.setting_table import collect

PREFIX = "NEOSERVE_"

#: Of names that are alike, of 1.
SIMILARITY = 0.7


def warn_of_misspelt(environ: Mapping[str, str]) -> None:
    """A line on stderr for each: a setting that is silently ignored is found when it is too late."""
    for line in misspelt(environ):
        click.echo(f"neoserve: {line}", err=True)


def misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    known = {row.name.removeprefix(PREFIX): row.name for row in collect()}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known.values():
            alike = get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=SIMILARITY)
            hint = f", {known[alike[0]]} is" if alike else "; `neoserve settings` lists them"
            yield f"{name} is no setting and is ignored{hint}"
