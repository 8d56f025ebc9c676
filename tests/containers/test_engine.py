"""The engine that the tests start."""

from __future__ import annotations

import pytest

from .command import run
from .engine import Compose, Engine


def test_nothing_of_it_is_in_the_machines_own_network(engine: Engine, stack: Compose) -> None:
    if not engine.own:
        pytest.skip("the engine is the user's")
    stack.up("redis")
    there, here = (network("ip", "-oneline", "link") for network in (engine.on_host, run))
    assert "docker0" in there
    assert "br-" in there
    assert "docker0" not in here
    assert "br-" not in here
    assert "DOCKER" in engine.on_host("iptables", "--list-rules")
    assert "DOCKER" not in run("iptables", "--list-rules")
