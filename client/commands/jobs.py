"""`neoserve jobs`: what there is."""

from __future__ import annotations

from itertools import islice

import click

from client.commands.numbers import Count
from client.commands.options import url_option
from client.commands.output import print_json_line
from client.service import connect
from neoserve import Job

STATES = ("queued", "running", "succeeded", "failed", "canceled", "expired")

#: The most that one call brings.
PAGE = 100


@click.command(short_help="List the jobs, the newest first.")
@click.option("--status", "states", type=click.Choice(STATES), multiple=True, help="Only these; repeatable.")
@click.option(
    "--limit", type=Count(min=1), default=20, show_default=True, metavar="N", help="At most so many."
)
@click.option("--json", "as_json", is_flag=True, help="Print each job object on a line.")
@url_option
def jobs(states: tuple[str, ...], limit: int, as_json: bool, url: str | None) -> None:
    """List the jobs that are in store, the newest first: id, state, model, when it was submitted, and why it
    failed."""
    with connect(url) as service:
        found = service.jobs(status=states or None, page=min(limit, PAGE))
        for job in islice(found, limit):
            if as_json:
                print_json_line(job.raw)
            else:
                click.echo(line(job))


def line(job: Job) -> str:
    created = f"{job.created_at:%Y-%m-%d %H:%M:%S}" if job.created_at else ""
    why = f"  [{job.error.code}]" if job.error else ""
    return f"{job.id}  {job.status:9}  {job.model:12}  {created}{why}"
