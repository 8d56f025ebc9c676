"""`neoserve status`: how a job is doing."""

from __future__ import annotations

import math
from itertools import pairwise

import click

from client.commands.numbers import Seconds
from client.commands.options import json_option, service_url, url_option
from client.commands.output import outage_reporter, print_json
from client.errors import StillRunning
from client.http import ServiceClient, require_success


class StatusCommand(click.Command):
    """`--wait` takes the next word only when that is a number: it may as well be the ID."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        pairs = pairwise([*args, ""])
        return super().parse_args(
            ctx,
            [
                f"--wait={math.inf}" if word == "--wait" and not is_number(then) else word
                for word, then in pairs
            ],
        )


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


@click.command(cls=StatusCommand, short_help="Print how the job ID is doing, and its text.")
@click.argument("job_id", metavar="ID")
@click.option(
    "--wait",
    "wait_seconds",
    type=Seconds(min=0),
    metavar="[SECONDS]",
    help="Wait for the job to end, at most SECONDS if given.",
)
@json_option
@url_option
def status(job_id: str, wait_seconds: float | None, as_json: bool, url: str | None) -> None:
    """Print the state of the job ID, and its text once there is one."""
    with ServiceClient(service_url(url)) as service:
        if wait_seconds is None:
            job = service.job(job_id)
        else:
            seconds = None if math.isinf(wait_seconds) else wait_seconds
            job = service.follow(job_id, seconds, on_outage=outage_reporter(service.url))
    if as_json:
        print_json(job)
    elif not job.terminal or job.succeeded:
        click.echo(job.describe())
    if job.succeeded and not as_json:
        click.echo(f"\n{job.text}")
    require_success(job)
    if wait_seconds is not None and not job.terminal:
        raise StillRunning(f"Job {job_id} has not ended within {wait_seconds:g} s; it goes on.")
