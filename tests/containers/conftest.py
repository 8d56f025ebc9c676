"""What the tests of containers share.

`engine`  (session) an Engine that runs, with every image of docker-compose.yml: ours built from this
          checkout, those of others real on the user's own engine and stand-ins on one that the tests started.
          `engine.docker(...)`, `engine.on_host("curl", ...)` (there the published ports are at 127.0.0.1),
          `engine.figures.append(...)` for a line at the end of the run.
`images`  (session) names of the images, of "api" and of "worker".
`stack`   a Compose with nothing running: `stack.up()`, `stack("ps")`, `stack.containers("worker")`. What is
          there after the test is removed, with its volumes.

Without an engine all are skipped, and one line says so. Once one has started, all else is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .engine import Compose, Engine
from .rig import NoEngine, PackagesMissing, engine_with_images
from .third_party import services

#: A first run builds everything.
SETUP_SECONDS = 1500

FIGURES = pytest.StashKey[list[str]]()
REASON = pytest.StashKey[str]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(SETUP_SECONDS))


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    try:
        with engine_with_images() as engine:
            request.config.stash[FIGURES] = engine.figures
            yield engine
    except NoEngine as reason:
        request.config.stash[REASON] = str(reason)
        if os.environ.get("CI") and isinstance(reason, PackagesMissing):
            pytest.fail(f"CI must have it: {reason}")
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def images(engine: Engine) -> dict[str, str]:
    return {part: services()[part]["image"] for part in ("api", "worker")}


@pytest.fixture
def stack(engine: Engine) -> Iterator[Compose]:
    stack = Compose(engine)
    try:
        yield stack
    finally:
        stack.down()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if REASON in config.stash:
        terminalreporter.section("CONTAINERS WERE NOT TESTED", sep="!", red=True)
        terminalreporter.line(config.stash[REASON])
    if config.stash.get(FIGURES, []):
        terminalreporter.section("containers")
        for line in config.stash[FIGURES]:
            terminalreporter.line(line)
