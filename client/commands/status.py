"""`neoserve status`: how a job is doing."""

from __future__ import annotations

import json
import math

import click

from client.commands.options import json_option, service_url, url_option
from client.errors import StillRunning
from client.http import ServiceClient, require_success


@click.command()
@click.argument("job_id", metavar="ID")
@click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(min=0),
    is_flag=False,
    flag_value=math.inf,
    metavar="[SECONDS]",
    help="Wait for the job to end, at most SECONDS if given. Write it after the ID.",
)
@json_option
@url_option
def status(job_id: str, wait_seconds: float | None, as_json: bool, url: str | None) -> None:
    """Print the state of the job ID, and its text once there is one."""
    with ServiceClient(service_url(url)) as service:
        if wait_seconds is None:
            job = service.job(job_id)
        else:
            job = service.follow(job_id, None if math.isinf(wait_seconds) else wait_seconds)
    if as_json:
        click.echo(json.dumps(job.raw, ensure_ascii=False))
    elif not job.terminal or job.succeeded:
        click.echo(job.describe())
    if job.succeeded and not as_json:
        click.echo(f"\n{job.text}")
    require_success(job)
    if wait_seconds is not None and not job.terminal:
        raise StillRunning(f"Job {job_id} has not ended within {wait_seconds:g} s; it goes on.")
