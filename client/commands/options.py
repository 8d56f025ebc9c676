"""Arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import click

from client.commands.numbers import Finite
from neoserve.fields import JobFields

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def url_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--url", metavar="URL", help="Address of the service; else NEOSERVE_URL, else http://127.0.0.1:8080."
    )(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print the whole job object.")(function)


def generation_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how to generate, handed on as `**options` for `request_fields`."""
    for option in reversed(GENERATION):
        function = option(function)
    return function


GENERATION = (
    click.option("--max-length", type=int, metavar="N", help="Tokens in total, the prompt's included."),
    click.option("--max-new-tokens", type=int, metavar="N", help="Tokens to add to the prompt."),
    click.option("--temperature", type=Finite(), metavar="T", help="Below 1 is tamer, above 1 wilder."),
    click.option("--top-k", type=int, metavar="N", help="Draw from the N likeliest tokens; 0 from all."),
    click.option("--top-p", type=Finite(), metavar="P", help="Draw from the likeliest that make up P."),
    click.option(
        "--repetition-penalty", type=Finite(), metavar="R", help="Above 1 makes words that were less likely."
    ),
    click.option("--greedy", is_flag=True, help="Always the likeliest token; no chance involved."),
    click.option("--stop", multiple=True, metavar="TEXT", help="End before it; may be given several times."),
    click.option("--seed", type=int, metavar="N", help="The same seed gives the same text again."),
    click.option("--model", metavar="NAME", help="Where several are served."),
    click.option("--priority", type=click.Choice(["high", "normal", "low"]), help="Before or behind others."),
    click.option(
        "--deadline", "deadline_s", type=Finite(), metavar="S", help="Give up after this many seconds."
    ),
)


def request_fields(*, greedy: bool, **options: Any) -> JobFields:
    """Only what was asked for."""
    chosen = {name: value for name, value in options.items() if value not in (None, ())}
    return cast("JobFields", {**chosen, "do_sample": False} if greedy else chosen)
