"""`neoserve wait`: the end of a job or batch that was submitted before."""

from __future__ import annotations

import click

from client.commands.batch_words import is_batch, print_batch
from client.commands.numbers import Seconds
from client.commands.options import json_option, url_option
from client.commands.output import print_json, print_text
from client.service import connect


@click.command(short_help="Wait for the end of the job or batch ID.")
@click.argument("id", metavar="ID")
@click.option("--timeout", type=Seconds(min=0), metavar="SECONDS", help="Wait so long at most.")
@json_option
@url_option
def wait(id: str, timeout: float | None, as_json: bool, url: str | None) -> None:
    """Wait until the job or batch ID has ended. Prints the job's text, or how many items have one."""
    with connect(url) as service:
        if is_batch(id):
            print_batch(service.wait_batch(id, timeout=timeout), as_json)
            return
        job = service.wait(id, timeout=timeout)
    if as_json:
        print_json(job.raw)
    job.raise_for_failure()
    if not as_json:
        print_text(job.text)
