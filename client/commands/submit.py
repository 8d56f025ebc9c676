"""`neoserve submit`: record a job and go on."""

from __future__ import annotations

import json
from typing import Any

import click

from client.commands.options import generation_options, json_option, request_body, service_url, url_option
from client.http import ServiceClient


@click.command()
@click.argument("text")
@generation_options
@json_option
@url_option
def submit(text: str, as_json: bool, url: str | None, **options: Any) -> None:
    """Record a job that continues TEXT and print its id; `-` reads TEXT from standard input."""
    with ServiceClient(service_url(url)) as service:
        job = service.submit(request_body(text, **options))
    click.echo(json.dumps(job.raw, ensure_ascii=False) if as_json else job.id)
    # On stderr, so that ID=$(neoserve submit …) holds the id alone.
    address = f" --url {url}" if url else ""
    click.echo(f"Follow it with: neoserve status {job.id} --wait{address}", err=True)
