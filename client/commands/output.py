"""What several commands print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import click

from client.job import JobView


def print_json(job: JobView) -> None:
    """Indented for people; one line for a pipe."""
    click.echo(json.dumps(job.raw, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def how_to_follow(job_id: str, url: str | None) -> str:
    """The command; with the address when that was given as an option."""
    return f"Follow it with: neoserve status {job_id} --wait{f' --url {url}' if url else ''}"


def outage_reporter(address: str) -> Callable[[], None]:
    def report() -> None:
        click.echo(f"{address} cannot answer now; waiting until it can", err=True)

    return report
