"""`neoserve health`: the whole fleet in a table."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click

from client.commands.options import url_option
from client.commands.output import print_json
from client.service import FOLLOWER_SECONDS, connect
from neoserve import Health, NeoServe

#: The service knows it to the second.
WATCH_SECONDS = 1.0

DEGRADED = 1


@click.command(short_help="Show the queue, the models and the workers.")
@click.option("--watch", is_flag=True, help="Show it anew every second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole object.")
@url_option
@click.pass_context
def health(ctx: click.Context, watch: bool, as_json: bool, url: str | None) -> None:
    """Show the queue, the models and the workers. Exit code 1 when something is wrong with them."""
    with connect(url) as service:
        found = service.health()
    if watch:
        with connect(url, FOLLOWER_SECONDS) as service:
            show_until_interrupted(service, found, as_json)
    show(found, as_json)
    if found.status != "ok":
        ctx.exit(DEGRADED)


def show_until_interrupted(service: NeoServe, found: Health, as_json: bool) -> None:
    while True:
        if sys.stdout.isatty():
            click.clear()
        show(found, as_json)
        time.sleep(WATCH_SECONDS)
        found = service.health()


def show(found: Health, as_json: bool) -> None:
    if as_json:
        print_json(found.raw)
    else:
        click.echo(as_table(found))


def as_table(found: Health) -> str:
    reasons = f": {', '.join(found.reasons)}" if found.reasons else ""
    oldest = f", the oldest for {found.oldest_age_s:.0f} s" if found.queue_depth else ""
    rows = [
        ("model", "workers", "slots", "jobs", "queued", "tokens/s", "wait"),
        *(
            (
                each.model,
                each.workers,
                each.slots,
                each.jobs,
                sum(each.queued.values()),
                measured(each.tokens_per_s),
                measured(each.estimated_wait_s.get("normal"), " s"),
            )
            for each in found.models
        ),
    ]
    workers = [
        ("worker", "model", "slots", "jobs", "running"),
        *((each.id, each.model, each.slots, each.jobs, each.running) for each in found.workers),
    ]
    jobs = ", ".join(f"{number} {state}" for state, number in found.jobs.items())
    head = [f"{found.status}{reasons}", f"queue: {found.queue_depth} of {found.queue_limit} wait{oldest}"]
    return "\n".join([*head, f"jobs: {jobs}", "", *columns(rows), "", *columns(workers)])


def measured(value: float | None, unit: str = "") -> str:
    return "?" if value is None else f"{value:.1f}{unit}"


def columns(rows: Sequence[Sequence[object]]) -> list[str]:
    """Texts to the left, the first column; the rest to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
