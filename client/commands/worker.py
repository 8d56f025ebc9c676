"""`neoserve worker`: one worker alone, in the foreground."""

from __future__ import annotations

import os

import click

from client.processes import require_worker, resolve_model, run_in_place, worker_command


@click.command(short_help="Run one worker alone.")
@click.option("--model", help="Model folder or hub id; else NEOSERVE_MODEL, else the shipped model.")
def worker(model: str | None) -> None:
    """Run one worker, for several terminals or machines. REDIS_URL names the server they share."""
    from client.misspelt import warn_of_misspelt
    from tasks.worker.settings import WorkerSettings

    warn_of_misspelt(os.environ)
    require_worker()
    environ = dict(os.environ) if model is None else {**os.environ, "NEOSERVE_MODEL": model}
    environ["NEOSERVE_MODEL"] = resolve_model(WorkerSettings.from_env(environ).model)
    run_in_place(worker_command(f"neoserve-{os.getpid()}"), environ)
