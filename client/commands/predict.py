"""`neoserve predict`: the text, however long it takes."""

from __future__ import annotations

import sys
from typing import Any

import click

from client.commands.live_text import LiveText
from client.commands.options import generation_options, json_option, request_fields, url_option
from client.commands.output import how_to_follow, print_json, print_text
from client.commands.prompt import read_text, text_argument
from client.service import connect
from neoserve import Job, NeoServe
from neoserve.fields import JobFields


@click.command(short_help="Continue TEXT, wait for the end and print it.")
@text_argument
@generation_options
@json_option
@url_option
def predict(words: tuple[str, ...], as_json: bool, url: str | None, **options: Any) -> None:
    """Continue TEXT and print the result; `-` reads TEXT from standard input.

    Waits until the job has ended. A terminal shows the text as it is written; to a pipe goes the whole text
    alone.
    """
    text, fields = read_text(words), request_fields(**options)
    with connect(url) as service:
        if sys.stdout.isatty() and not as_json:
            job = show_live(service, text, fields, url)
        else:
            job = wait_for_text(service, text, fields, url)
    job.raise_for_failure()
    if as_json:
        print_json(job.raw)
    elif sys.stdout.isatty():
        seconds = job.metrics and job.metrics.total_s
        click.secho(f"{job.num_tokens} tokens in {seconds} s, job {job.id}", dim=True, err=True)
    else:
        print_text(job.text)


def show_live(service: NeoServe, text: str, fields: JobFields, url: str | None) -> Job:
    live = LiveText(text)
    try:
        return live.show(service.stream(text, **fields))
    except KeyboardInterrupt:
        say_that_it_goes_on(live.job_id, url)
        raise


def wait_for_text(service: NeoServe, text: str, fields: JobFields, url: str | None) -> Job:
    job = service.submit(text, **fields)
    try:
        return service.wait(job)
    except KeyboardInterrupt:
        say_that_it_goes_on(job.id, url)
        raise


def say_that_it_goes_on(job_id: str, url: str | None) -> None:
    """Who stops waiting is told how to find it again."""
    if job_id:
        click.echo(f"\n{job_id} goes on. {how_to_follow(job_id, url)}", err=True)
