"""`neoserve up`: the whole service in one terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from client.commands.numbers import Count, Port
from client.console import Console
from client.stop_signals import StopSignals


@click.command(short_help="Run everything in this terminal until Ctrl-C.")
@click.option(
    "--port", type=Port(1, 65535), metavar="PORT", help="Port of the API; else NEOSERVE_PORT, else 8080."
)
@click.option("--host", help="Address of the API; else NEOSERVE_HOST, else 127.0.0.1.")
@click.option(
    "--workers", type=Count(1, 64), metavar="N", default=1, show_default=True, help="Workers to run."
)
@click.option("--model", help="Model folder or hub id; else NEOSERVE_MODEL, else the shipped model.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the jobs; else one per port below ~/.local/share/neoserve.",
)
@click.option("--monitoring", is_flag=True, help="Also run Prometheus with the alerts, if it is installed.")
def up(
    port: int | None, host: str | None, workers: int, model: str | None, data: Path | None, monitoring: bool
) -> None:
    """Run everything in this terminal until Ctrl-C: a server for the jobs, workers and the API.

    The server is an embedded Valkey, or the one that REDIS_URL names. Ctrl-C lets what runs finish; a second
    one hurries.
    """
    # Imported here: the client alone is installed without what the service needs.
    from client.misspelt import warn_of_misspelt
    from client.plan import make_plan
    from client.stack import Stack

    warn_of_misspelt(os.environ)
    plan = make_plan(
        environ=os.environ,
        port=port,
        host=host,
        workers=workers,
        model=model,
        data=data,
        monitoring=monitoring,
    )
    names = ["neoserve", *(f"worker-{number}" for number in range(1, workers + 1))]
    with StopSignals() as signals:
        Stack(plan, Console(sys.stdout, width=max(map(len, names))), signals).run()
