"""`neoserve submit`: record a job and go on."""

from __future__ import annotations

from typing import Any

import click

from client.commands.options import generation_options, json_option, request_fields, url_option
from client.commands.output import how_to_follow, print_json
from client.commands.prompt import read_text, text_argument
from client.service import connect


@click.command(short_help="Record a job for TEXT and print its id.")
@text_argument
@generation_options
@json_option
@url_option
def submit(words: tuple[str, ...], as_json: bool, url: str | None, **options: Any) -> None:
    """Record a job that continues TEXT and print its id; `-` reads TEXT from standard input."""
    text = read_text(words)
    with connect(url) as service:
        job = service.submit(text, **request_fields(**options))
    if as_json:
        print_json(job.raw)
    else:
        click.echo(job.id)
    # On stderr, so that ID=$(neoserve submit …) holds the id alone.
    click.echo(how_to_follow(job.id, url), err=True)
