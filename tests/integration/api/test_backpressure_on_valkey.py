"""Refusals again, on a real server: nothing is left there either."""

# ruff: noqa: F403
from tests.unit.api.conftest import *
from tests.unit.api.test_backpressure import *
