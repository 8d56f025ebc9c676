"""Packages of Debian, from wherever this machine has them."""

from __future__ import annotations

import os
from pathlib import Path

from .command import CommandFailed, run

#: The release that the Python images named bookworm are made of.
RELEASE = "bookworm"

#: Packages of the client's plugins, and the release that has them; bookworm's engine serves them well. Of a
#: version the archive keeps only the last build.
PLUGINS_RELEASE = "trixie"
PLUGINS = {"docker-compose": "2.26.1-*", "docker-buildx": "0.13.1+ds1-*"}


class NoMirror(Exception):
    """There is nowhere to fetch packages of Debian from."""


def mirror() -> str:
    """Address of the archive that apt uses for this machine. Raises NoMirror."""
    for address in run("apt-get", "indextargets", "--format", "$(REPO_URI)").split():
        if address.rstrip("/").endswith("/debian"):
            return address
    raise NoMirror("apt on this machine names no archive of Debian")


def unpack_plugins(folder: Path) -> None:
    """Compose and buildx as plugins in `folder`/cli-plugins; apt keeps what it needs in `folder`."""
    apt = folder / "apt"
    for each in ("lists/partial", "cache/archives/partial", "state", "packages"):
        (apt / each).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb {mirror()} {PLUGINS_RELEASE} main\n")
    options = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State": apt / "state",
        "Dir::State::status": apt / "status",
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "",
    }
    command = [
        "apt-get",
        "-qq",
        *(part for name, value in options.items() for part in ("-o", f"{name}={value}")),
    ]
    run(*command, "update", timeout=120)
    wanted = [f"{name}={version}" for name, version in PLUGINS.items()]
    run(*command, "download", *wanted, timeout=120, cwd=apt / "packages")
    for package in (apt / "packages").glob("*.deb"):
        run("dpkg-deb", "-x", str(package), str(apt / "unpacked"))
    plugins = folder / "cli-plugins"
    plugins.mkdir(exist_ok=True)
    for name in PLUGINS:
        (apt / "unpacked/usr/libexec/docker/cli-plugins" / name).replace(plugins / name)


def has_plugins(environ: dict[str, str]) -> bool:
    """Whether a docker client of that environment knows compose and buildx."""
    try:
        run("docker", "compose", "version", env={**os.environ, **environ})
        run("docker", "buildx", "version", env={**os.environ, **environ})
    except (CommandFailed, FileNotFoundError):
        return False
    return True
