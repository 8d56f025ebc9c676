"""Numbers on the command line, whose refusals say what was expected."""

from __future__ import annotations

import math
from typing import Any

import click


class Port(click.IntRange):
    name = "port number"


class Count(click.IntRange):
    name = "whole number"


class Seconds(click.FloatRange):
    name = "number of seconds"


class Finite(click.types.FloatParamType):
    """A number that JSON can carry; what is too large or too small is for the service to say."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number that can be sent.", param, ctx)
        return number
