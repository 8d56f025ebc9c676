"""Numbers on the command line, whose refusals say what was expected."""

from __future__ import annotations

import click


class Port(click.IntRange):
    name = "port number"


class Count(click.IntRange):
    name = "whole number"


class Seconds(click.FloatRange):
    name = "number of seconds"
