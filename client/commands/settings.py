"""`neoserve settings`: every setting of every process."""

from __future__ import annotations

from dataclasses import asdict

import click

from client.commands.output import print_json_line
from client.setting_table import as_markdown, as_text, collect


@click.command(short_help="List every setting: variable, default, meaning.")
@click.option("--markdown", is_flag=True, help="As the table of docs/configuration.md.")
@click.option("--json", "as_json", is_flag=True, help="An object for each setting on a line.")
def settings(markdown: bool, as_json: bool) -> None:
    """List every setting of API, worker and client: environment variable, default, meaning."""
    if as_json:
        for row in collect():
            print_json_line(asdict(row))
        return
    click.echo(as_markdown(collect()) if markdown else as_text(collect()))
