"""What `status` and `wait` say of a batch."""

from __future__ import annotations

import click

from client.commands.output import print_json
from client.errors import ClientError
from client.words import describe_batch
from neoserve import Batch

PREFIX = "batch_"


class ItemsFailed(ClientError):
    """Some items have no result; the others have."""


def is_batch(id: str) -> bool:
    return id.startswith(PREFIX)


def print_batch(batch: Batch, as_json: bool) -> None:
    """Raises ItemsFailed where it has ended and not all have a result."""
    if as_json:
        print_json(batch.raw)
    else:
        click.echo(describe_batch(batch))
    missing = batch.counts.total - batch.counts.succeeded
    if batch.ended and missing:
        raise ItemsFailed(
            f"{missing} of {batch.counts.total} have no result: /batches/{batch.id}/results says why."
        )
