"""`neoserve cancel`: stop a job or a batch."""

from __future__ import annotations

import click

from client.commands.batch_words import is_batch
from client.commands.options import json_option, url_option
from client.commands.output import print_json
from client.service import connect


@click.command(short_help="Stop the job or batch ID.")
@click.argument("id", metavar="ID")
@json_option
@url_option
def cancel(id: str, as_json: bool, url: str | None) -> None:
    """Stop the job or batch ID. What runs stops at its next step, and keeps the text that it has by then."""
    with connect(url) as service:
        stopped = service.cancel_batch(id) if is_batch(id) else service.cancel(id)
    if as_json:
        print_json(stopped.raw)
    else:
        click.echo("canceled" if stopped.ended else f"{stopped.status}, about to stop")
