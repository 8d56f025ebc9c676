"""`neoserve batch`: a file of prompts to a file of results."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from client.batch_state import BatchState
from client.commands.batch_bar import BatchBar
from client.commands.batch_words import ItemsFailed
from client.commands.options import url_option
from client.commands.output import print_json
from client.errors import WrongUsage
from client.service import FOLLOWER_SECONDS, connect
from neoserve import Batch, NeoServe, RequestRefused

#: Between two looks at a batch whose bar is shown.
LOOK_SECONDS = 1.0


@click.command(short_help="Run every prompt of FILE and write the results.")
@click.argument("file", metavar="FILE.jsonl", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT.jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the results go, a line for each prompt.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the batch object at the end.")
@url_option
def batch(file: Path, output: Path, as_json: bool, url: str | None) -> None:
    """Run every prompt of FILE, and write what has come of each to OUT, in the same order.

    FILE holds a JSON object on each line, such as {"text": "Once upon a time", "seed": 7}. Ctrl-C leaves the
    batch running; the same command again goes on with it. OUT.jsonl.batch is how it knows, until OUT is
    whole.
    """
    prompts = read(file)
    state = BatchState(output)
    recorded = submit(prompts, state, url)
    click.echo(
        f"{recorded.id} goes on after Ctrl-C, and the same command with it. "
        f"To stop it: neoserve cancel {recorded.id}{f' --url {url}' if url else ''}",
        err=True,
    )
    with connect(url, FOLLOWER_SECONDS) as service:
        ended = follow(service, recorded)
        lines = [json.dumps(item.raw, ensure_ascii=False) + "\n" for item in service.results(ended)]
    state.finish("".join(lines).encode())
    if as_json:
        print_json(ended.raw)
    report(ended, output)


def read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise WrongUsage(f"{file} cannot be read: {error.strerror}.") from None


def submit(prompts: bytes, state: BatchState, url: str | None) -> Batch:
    key = state.key_for(prompts)
    with connect(url) as service:
        try:
            return service.submit_batch(prompts, idempotency_key=key)
        except RequestRefused:
            state.forget()
            raise


def follow(service: NeoServe, batch: Batch) -> Batch:
    """The batch that has ended; a terminal is shown how far it is."""
    if not sys.stderr.isatty():
        return service.wait_batch(batch)
    with BatchBar(sys.stderr) as bar:
        while not batch.ended:
            bar.show(batch, sum(each.tokens_per_s or 0.0 for each in service.health().models))
            time.sleep(LOOK_SECONDS)
            batch = service.get_batch(batch)
        bar.show(batch, 0.0)
    return batch


def report(ended: Batch, output: Path) -> None:
    """Raises ItemsFailed where not all have a result."""
    counts = ended.counts
    if counts.succeeded < counts.total:
        missing = counts.total - counts.succeeded
        raise ItemsFailed(
            f"{missing} of {counts.total} have no result: `status` and `error` in {output} say why."
        )
    click.echo(f"{counts.total} results in {output}", err=True)
