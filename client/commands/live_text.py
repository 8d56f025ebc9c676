"""A text at a terminal, as it is written."""

from __future__ import annotations

from collections.abc import Iterable

import click

from client.commands.output import printable
from neoserve import Done, Event, Job, NeoServeError, Queued, Started, Token


class LiveText:
    """Prints a job's events; `job_id` is empty until they have told it."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self.job_id = ""

    def show(self, events: Iterable[Event]) -> Job:
        """The job as it ended."""
        for event in events:
            if isinstance(event, Done):
                click.echo()
                return event.job
            self._show(event)
        raise NeoServeError("The events have no end.")

    def _show(self, event: Queued | Started | Token) -> None:
        if isinstance(event, Queued):
            self.job_id = event.job_id
            if event.position is not None:
                self._say_place(event.position, event.eta_s)
        elif isinstance(event, Started):
            self.job_id = event.job_id
            if event.attempt > 1:
                click.secho("\nIts worker was lost; the text begins anew.", dim=True, err=True)
            click.echo(printable(self._prompt), nl=False)
        else:
            click.echo(printable(event.text), nl=False)

    def _say_place(self, position: int, eta_s: float | None) -> None:
        start = "" if eta_s is None else f", starts in about {eta_s:.0f} s"
        words = f"job {self.job_id} is number {position} in line{start}; Ctrl-C leaves it running"
        click.secho(words, dim=True, err=True)
