"""`neoserve submit`: record a job and go on."""

from __future__ import annotations

from typing import Any

import click

from client.commands.options import generation_options, json_option, request_body, service_url, url_option
from client.commands.output import how_to_follow, print_json
from client.commands.prompt import text_argument
from client.http import ServiceClient


@click.command(short_help="Record a job for TEXT and print its id.")
@text_argument
@generation_options
@json_option
@url_option
def submit(words: tuple[str, ...], as_json: bool, url: str | None, **options: Any) -> None:
    """Record a job that continues TEXT and print its id; `-` reads TEXT from standard input."""
    with ServiceClient(service_url(url)) as service:
        job = service.submit(request_body(words, **options))
    if as_json:
        print_json(job)
    else:
        click.echo(job.id)
    # On stderr, so that ID=$(neoserve submit …) holds the id alone.
    click.echo(how_to_follow(job.id, url), err=True)
