"""`neoserve retry`: run a job once more."""

from __future__ import annotations

import click

from client.commands.batch_words import is_batch
from client.commands.options import json_option, url_option
from client.commands.output import how_to_follow, print_json
from client.errors import WrongUsage
from client.service import connect


@click.command(short_help="Run the job ID, which has ended, once more.")
@click.argument("job_id", metavar="ID")
@json_option
@url_option
def retry(job_id: str, as_json: bool, url: str | None) -> None:
    """Record a new job like the job ID, which has ended, and print the new id. The seed is the same, too."""
    if is_batch(job_id):
        raise WrongUsage("A batch is not run once more. Give its file to `neoserve batch` with another -o.")
    with connect(url) as service:
        job = service.retry(job_id)
    if as_json:
        print_json(job.raw)
    else:
        click.echo(job.id)
    click.echo(how_to_follow(job.id, url), err=True)
