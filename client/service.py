"""The service that a command uses, as its options and the environment name it."""

from __future__ import annotations

import os

import click

from client.errors import WrongUsage
from client.settings import ClientSettings
from neoserve import NeoServe, NeoServeError, Unreachable

#: A person waits for the error. It is enough to send once more what was lost with its connection; whoever
#: waits for a job is more patient by itself.
PATIENCE_SECONDS = 1.0

#: Of whoever follows something that goes on meanwhile.
FOLLOWER_SECONDS = 60.0


class OutageReport:
    """Says once that an outage is waited for, when it is more than a hiccup."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._said = False

    def __call__(self, error: NeoServeError, seconds: float) -> None:
        self._seconds += seconds
        if self._seconds > PATIENCE_SECONDS and not self._said:
            self._said = True
            words = str(error) if isinstance(error, Unreachable) else "The service cannot answer now."
            click.echo(f"{words} Waiting until it can.", err=True)


def connect(url: str | None, patience: float | None = None) -> NeoServe:
    """Raises WrongUsage when the address is none."""
    settings = ClientSettings.from_env(os.environ)
    patience = PATIENCE_SECONDS if patience is None else patience
    report = OutageReport()
    try:
        return NeoServe(url or settings.url, settings.api_key or None, patience=patience, on_retry=report)
    except ValueError as error:
        raise WrongUsage(str(error)) from None
