"""From this machine to an engine with all images: the user's own engine, else one of the tests'."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from .base_image import base_name, build_base
from .command import CommandFailed, run
from .daemon import Daemon, Network
from .debian import NoMirror, has_plugins, mirror, unpack_plugins
from .engine import ROOT, Engine
from .third_party import build_third_party, services

#: What an engine of our own needs, and the package of Debian that has it.
PROGRAMS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "iptables": "iptables",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
}


class NoEngine(Exception):
    """Neither is there an engine, nor can one be started here; says why."""


class PackagesMissing(NoEngine):
    """With them one could be started."""


def cache_folder() -> Path:
    """Keeps layers, so that a second run builds only what changed. It may be deleted at any time."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches).expanduser() / "neoserve-containers"


@contextmanager
def engine_with_images() -> Iterator[Engine]:
    """Both images are built, and every other one of docker-compose.yml can be had. Raises NoEngine."""
    if _answers():
        engine = Engine(environ=os.environ)
        engine.docker("pull", "--quiet", base_name(), timeout=300)
        build_images(engine)
        yield engine
        return
    _require_privileges()
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield from _own_engine(folder)


def build_images(engine: Engine) -> None:
    for part in ("api", "worker"):
        started = monotonic()
        engine.build(services()[part]["image"], ROOT / f"Dockerfile.{part}")
        engine.figures.append(f"{part} image: built in {monotonic() - started:.1f} s")


def _answers() -> bool:
    """Whether the user's own engine does, with what compose files and builds need."""
    try:
        run("docker", "info", timeout=20)
    except (CommandFailed, FileNotFoundError):
        return False
    return has_plugins({})


def _require_privileges() -> None:
    if os.geteuid() != 0:
        raise NoEngine("no Docker engine answers, and only root can start one")
    try:
        run("unshare", "--net", "--mount", "mount", "-t", "tmpfs", "none", "/mnt")
        mirror()
    except (CommandFailed, FileNotFoundError):
        raise NoEngine("no Docker engine answers, and this machine lets nobody start one") from None
    except NoMirror as error:
        raise NoEngine(f"no Docker engine answers, and to start one: {error}") from None
    missing = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    if missing:
        names = " ".join(sorted(missing))
        raise PackagesMissing(f"no Docker engine answers; to start one: apt install {names}")


def _own_engine(folder: Path) -> Iterator[Engine]:
    client = {"DOCKER_CONFIG": str(folder / "client")}
    (folder / "client").mkdir(exist_ok=True)
    if not has_plugins(client):
        unpack_plugins(folder / "client")
    daemon = Daemon(folder / "engine")
    engine = Engine(
        environ={**os.environ, **client, "DOCKER_HOST": daemon.address},
        host=daemon.inside,
        build_options=("--network", "host"),
        own=True,
    )
    try:
        started = monotonic()
        daemon.start(Network.MACHINE)
        build_base(engine, folder)
        build_third_party(engine)
        engine.figures.append(f"stand-ins: made in {monotonic() - started:.1f} s")
        build_images(engine)
        engine.docker("image", "prune", "--force")
        daemon.stop()
        daemon.start(Network.NAMESPACE)
        yield engine
    finally:
        daemon.stop()
