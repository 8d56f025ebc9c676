"""`neoserve status`: how a job or a batch is doing."""

from __future__ import annotations

import click

from client.commands.batch_words import is_batch, print_batch
from client.commands.options import json_option, url_option
from client.commands.output import print_json, print_text
from client.service import connect
from client.words import describe


@click.command(short_help="Print how the job or batch ID is doing.")
@click.argument("id", metavar="ID")
@json_option
@url_option
def status(id: str, as_json: bool, url: str | None) -> None:
    """Print the state of the job or batch ID, and the text of a job once there is one."""
    with connect(url) as service:
        if is_batch(id):
            print_batch(service.get_batch(id), as_json)
            return
        job = service.get(id)
    if as_json:
        print_json(job.raw)
    elif not job.ended or job.succeeded:
        click.echo(describe(job))
    if job.succeeded and not as_json:
        click.echo()
        print_text(job.text)
    job.raise_for_failure()
