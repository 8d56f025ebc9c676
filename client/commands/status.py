"""`neoserve status`: how a job is doing."""

from __future__ import annotations

import click

from client.commands.options import json_option, url_option
from client.commands.output import print_json, print_text
from client.service import connect
from client.words import describe


@click.command(short_help="Print how the job ID is doing, and its text.")
@click.argument("job_id", metavar="ID")
@json_option
@url_option
def status(job_id: str, as_json: bool, url: str | None) -> None:
    """Print the state of the job ID, and its text once there is one."""
    with connect(url) as service:
        job = service.get(job_id)
    if as_json:
        print_json(job.raw)
    elif not job.ended or job.succeeded:
        click.echo(describe(job))
    if job.succeeded and not as_json:
        click.echo()
        print_text(job.text)
    job.raise_for_failure()
