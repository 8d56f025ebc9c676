"""`neoserve keys`: who may use the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from client.commands.output import print_json_line
from client.errors import WrongUsage
from client.key_file import KeyFile

if TYPE_CHECKING:
    from api.key_entry import KeyEntry

file_option = click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="NEOSERVE_API_KEYS_FILE",
    help="File of the keys; else NEOSERVE_API_KEYS_FILE.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print an object for each key on a line.")


@click.group(short_help="Make, list and revoke the API's keys.")
def keys() -> None:
    """Make, list and revoke the keys of the API, in a file that holds nothing but names and hashes.

    The API reads the file again when it changes, so nothing is restarted. Jobs belong to a name: to change a
    key, add one for the same name, hand it out, and revoke the old one.
    """


@keys.command(short_help="Make a key for NAME and print it.")
@click.argument("name")
@file_option
@json_option
def add(name: str, path: Path | None, as_json: bool) -> None:
    """Make a key for NAME and print it, this once: the file keeps its hash."""
    # Imported here: the client alone is installed without the API.
    from api.key_entry import new_key

    try:
        key, entry = new_key(name)
    except ValueError as error:
        raise WrongUsage(f"{name!r} cannot be used: {error}.") from None
    key_file(path).add(entry)
    if as_json:
        print_json_line({**described(entry), "key": key})
        return
    click.echo(key)
    # On stderr, so that KEY=$(neoserve keys add …) holds the key alone.
    click.echo(f"added {entry.id} of {name}. The key is shown only now; clients send it as", err=True)
    click.echo("  Authorization: Bearer KEY", err=True)


@keys.command("list", short_help="Show whose keys there are.")
@file_option
@json_option
def show(path: Path | None, as_json: bool) -> None:
    """Show name, id and day of every key."""
    entries = key_file(path).entries()
    if as_json:
        for entry in entries:
            print_json_line(described(entry))
        return
    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        click.echo(f"{entry.name:<{width}}  {entry.id}  {entry.created}".rstrip())
    if not entries:
        click.echo("no keys", err=True)


@keys.command(short_help="Make a key, or all keys of a name, invalid.")
@click.argument("name_or_id")
@file_option
@json_option
def revoke(name_or_id: str, path: Path | None, as_json: bool) -> None:
    """Make the key with an ID invalid, or all keys of a NAME; both are as `neoserve keys list` shows them."""
    for entry in key_file(path).revoke(name_or_id):
        if as_json:
            print_json_line(described(entry))
        else:
            click.echo(f"revoked {entry.id} of {entry.name}")


def described(entry: KeyEntry) -> dict[str, Any]:
    """Without its hash."""
    return {"name": entry.name, "id": entry.id, "created": entry.created or None}


def key_file(path: Path | None) -> KeyFile:
    if path is None:
        raise WrongUsage("Name the file of the keys with --file, or set NEOSERVE_API_KEYS_FILE.")
    return KeyFile(path)
