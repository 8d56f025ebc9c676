"""`neoserve settings`: every setting of every process."""

from __future__ import annotations

import click

from client.setting_table import as_markdown, as_text, collect


@click.command(short_help="List every setting: variable, default, meaning.")
@click.option("--markdown", is_flag=True, help="As the table of docs/configuration.md.")
def settings(markdown: bool) -> None:
    """List every setting of API, worker and client: environment variable, default, meaning."""
    click.echo(as_markdown(collect()) if markdown else as_text(collect()))
