"""`neoserve wait`: the text of a job that was submitted before."""

from __future__ import annotations

import click

from client.commands.numbers import Seconds
from client.commands.options import json_option, url_option
from client.commands.output import print_json, print_text
from client.service import connect


@click.command(short_help="Wait for the end of the job ID and print its text.")
@click.argument("job_id", metavar="ID")
@click.option("--timeout", type=Seconds(min=0), metavar="SECONDS", help="Wait so long at most.")
@json_option
@url_option
def wait(job_id: str, timeout: float | None, as_json: bool, url: str | None) -> None:
    """Wait until the job ID has ended, and print its text."""
    with connect(url) as service:
        job = service.wait(job_id, timeout=timeout)
    if as_json:
        print_json(job.raw)
    job.raise_for_failure()
    if not as_json:
        print_text(job.text)
