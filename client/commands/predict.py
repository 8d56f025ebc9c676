"""`neoserve predict`: the text, however long it takes."""

from __future__ import annotations

import sys
from typing import Any

import click

from client.commands.options import generation_options, json_option, request_body, service_url, url_option
from client.commands.output import how_to_follow, outage_reporter, print_json
from client.commands.prompt import text_argument
from client.http import ServiceClient, require_success
from client.job import JobView


@click.command(short_help="Continue TEXT, wait for the end and print it.")
@text_argument
@generation_options
@json_option
@url_option
def predict(words: tuple[str, ...], as_json: bool, url: str | None, **options: Any) -> None:
    """Continue TEXT and print the result; `-` reads TEXT from standard input.

    Waits until the job has ended. To a pipe goes the text alone.
    """
    with ServiceClient(service_url(url)) as service:
        job = service.predict(request_body(words, **options))
        if not job.terminal:
            job = wait_for(service, job, url)
    require_success(job)
    if as_json:
        print_json(job)
        return
    click.echo(job.text)
    if sys.stdout.isatty():
        seconds = (job.raw.get("metrics") or {}).get("total_s")
        click.secho(f"{job.num_tokens} tokens in {seconds} s, job {job.id}", dim=True, err=True)


def wait_for(service: ServiceClient, job: JobView, url: str | None) -> JobView:
    """The job that has ended. Who stops waiting is told how to find it again."""
    if sys.stderr.isatty():
        click.echo(f"job {job.id} is {job.describe()}; Ctrl-C leaves it running", err=True)
    try:
        return service.follow(job.id, on_outage=outage_reporter(service.url))
    except KeyboardInterrupt:
        click.echo(f"\n{job.id} goes on. {how_to_follow(job.id, url)}", err=True)
        raise
