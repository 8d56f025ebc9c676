"""`gunicorn tests.faults.api:from_environment()`: the API as it is, but for the switches."""

from __future__ import annotations

from tests.faults.switches import apply_switches

apply_switches()  # Before the application is made of what they change.

from api.app import from_environment  # noqa: E402

__all__ = ["from_environment"]
