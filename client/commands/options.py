"""Arguments that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from client.commands.numbers import Finite
from client.commands.prompt import read_text
from client.settings import ClientSettings

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def url_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--url", metavar="URL", help="Address of the service; else NEOSERVE_URL, else http://127.0.0.1:8080."
    )(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print the whole job object.")(function)


def generation_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how to generate, handed on as `**options` for `request_body`."""
    for option in reversed(
        (
            click.option(
                "--max-length", type=int, metavar="N", help="Tokens in total, the prompt's included."
            ),
            click.option("--max-new-tokens", type=int, metavar="N", help="Tokens to add to the prompt."),
            click.option(
                "--temperature", type=Finite(), metavar="T", help="Below 1 is tamer, above 1 wilder."
            ),
            click.option("--seed", type=int, metavar="N", help="The same seed gives the same text again."),
            click.option("--greedy", is_flag=True, help="Always the likeliest token; no chance involved."),
        )
    ):
        function = option(function)
    return function


def request_body(words: tuple[str, ...], *, greedy: bool, **options: Any) -> dict[str, Any]:
    """The body of a request. Raises WrongUsage when there is no usable text."""
    body = {"text": read_text(words), **{name: value for name, value in options.items() if value is not None}}
    return {**body, "do_sample": False} if greedy else body


def service_url(url: str | None) -> str:
    return url or ClientSettings.from_env(os.environ).url
