"""A Docker engine that runs, as the tests use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .command import run

ROOT = Path(__file__).resolve().parents[2]

BUILD_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Everything raises CommandFailed where the command does not end with 0."""

    environ: Mapping[str, str]  #: Of the docker client: names the engine and its plugins.
    host: tuple[str, ...] = ()  #: Before a command: runs it where published ports are reached.
    build_options: tuple[str, ...] = ()
    own: bool = False  #: Whether the tests started it; its images of others are then stand-ins.
    figures: list[str] = field(default_factory=list)  #: Lines for the end of the run.

    def docker(self, *arguments: str, timeout: float = 60, merged: bool = False) -> str:
        """Standard output; `merged`: with standard error."""
        return run("docker", *arguments, timeout=timeout, env=self.environ, cwd=ROOT, merged=merged)

    def on_host(self, *command: str, timeout: float = 60) -> str:
        """Of a command such as `curl` that finds the published ports at 127.0.0.1."""
        return run(*self.host, *command, timeout=timeout, cwd=ROOT)

    def build(
        self, tag: str, dockerfile: Path, *, context: Path = ROOT, target: str = "", **arguments: str
    ) -> None:
        """An image of that tag; each of `arguments` is a build argument."""
        options = [part for item in arguments.items() for part in ("--build-arg", "=".join(item))]
        if target:
            options += ["--target", target]
        options += ["--load", "--progress", "plain", *self.build_options]
        command = ["buildx", "build", *options, "--tag", tag, "--file", str(dockerfile), str(context)]
        self.docker(*command, timeout=BUILD_SECONDS)

    def inspect(self, name: str) -> dict[str, Any]:
        """A container or an image."""
        [found] = json.loads(self.docker("inspect", name))
        assert isinstance(found, dict)
        return found

    def has_image(self, tag: str) -> bool:
        return bool(self.docker("images", "--quiet", tag).strip())


@dataclass(frozen=True)
class Compose:
    """The project's docker-compose.yml on an engine, under a project name of the tests."""

    engine: Engine
    project: str = "neoserve-tests"
    files: tuple[Path, ...] = (ROOT / "docker-compose.yml",)

    def __call__(self, *arguments: str, timeout: float = 120) -> str:
        """`docker compose ARGUMENTS`."""
        files = [part for file in self.files for part in ("--file", str(file))]
        command = ["compose", "--project-name", self.project, *files, *arguments]
        return self.engine.docker(*command, timeout=timeout)

    def up(self, *services: str, options: tuple[str, ...] = (), timeout: float = 240) -> None:
        """Start them, all by default, and wait until they are healthy. Nothing is built."""
        pull = () if not self.engine.own else ("--pull", "never")
        self("up", "--detach", "--no-build", "--wait", *pull, *options, *services, timeout=timeout)

    def down(self) -> None:
        """With volumes, and whatever else of this project there is."""
        self("down", "--volumes", "--remove-orphans", timeout=180)

    def containers(self, service: str) -> list[str]:
        """Their ids, also of those that ended."""
        return self("ps", "--all", "--quiet", service).split()
