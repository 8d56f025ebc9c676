"""`neoserve api`: the API alone, in the foreground."""

from __future__ import annotations

import os

import click

from client.commands.numbers import Port
from client.ports import require_free
from client.processes import api_command, require_api, run_in_place


@click.command(short_help="Run the API alone.")
@click.option(
    "--port", type=Port(0, 65535), metavar="PORT", help="Port to listen on; else NEOSERVE_PORT, else 8080."
)
@click.option("--host", help="Address to listen on; else NEOSERVE_HOST, else 127.0.0.1.")
def api(port: int | None, host: str | None) -> None:
    """Run the API alone, for several terminals or machines. REDIS_URL names the server they share."""
    from api.settings import ApiSettings
    from client.misspelt import warn_of_misspelt

    warn_of_misspelt(os.environ)
    require_api()
    chosen = {"NEOSERVE_PORT": None if port is None else str(port), "NEOSERVE_HOST": host}
    environ = {**os.environ, **{name: value for name, value in chosen.items() if value is not None}}
    settings = ApiSettings.from_env(environ)
    require_free(settings.port, settings.host)
    run_in_place(api_command(), environ)
