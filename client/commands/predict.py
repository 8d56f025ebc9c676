"""`neoserve predict`: the text, however long it takes."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from client.commands.options import generation_options, json_option, request_body, service_url, url_option
from client.http import ServiceClient


@click.command()
@click.argument("text")
@generation_options
@json_option
@url_option
def predict(text: str, as_json: bool, url: str | None, **options: Any) -> None:
    """Continue TEXT and print the result; `-` reads TEXT from standard input.

    Waits until the job has ended. To a pipe goes the text alone.
    """
    with ServiceClient(service_url(url)) as service:
        job = service.predict_to_the_end(request_body(text, **options))
    if as_json:
        click.echo(json.dumps(job.raw, ensure_ascii=False))
        return
    click.echo(job.text)
    if sys.stdout.isatty():
        seconds = (job.raw.get("metrics") or {}).get("total_s")
        click.secho(f"{job.num_tokens} tokens in {seconds} s, job {job.id}", dim=True, err=True)
