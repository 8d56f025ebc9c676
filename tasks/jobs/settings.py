"""Settings as data: name, default and help in one place, read once from the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from tasks.jobs.logs import LogFormat, parse_log_format
from tasks.jobs.parse import parse_log_level, parse_redis_url


class InvalidSetting(Exception):
    """A setting in the environment has a value that cannot be used."""


def setting(
    name: str, default: Any, help_text: str, parse: Callable[[str], Any] = str, *, secret: bool = False
) -> Any:
    """A dataclass field that is read from the environment variable `name` with `parse`.

    Of a `secret` one no message shows the value.
    """
    return field(
        default=default, metadata={"name": name, "help": help_text, "parse": parse, "secret": secret}
    )


@dataclass(frozen=True, kw_only=True)
class EnvSettings:
    """Settings of one process, read from its environment."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read every setting that is set; an empty value counts as not set.

        Raises InvalidSetting with the variable's name and, unless it may hold a secret, its value.
        """
        values: dict[str, Any] = {}
        for each in fields(cls):
            text = environ.get(each.metadata["name"], "")
            if not text:
                continue
            try:
                values[each.name] = each.metadata["parse"](text)
            except ValueError as error:
                shown = "" if each.metadata["secret"] else f"={text!r}"
                raise InvalidSetting(f"{each.metadata['name']}{shown} cannot be used: {error}") from None
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Settings(EnvSettings):
    """What API and worker must agree on; each process extends it with its own."""

    redis_url: str = setting(
        "REDIS_URL",
        "redis://127.0.0.1:6379/0",
        "Redis or Valkey server that holds the jobs and carries the rings (redis:// or rediss://).",
        parse_redis_url,
        secret=True,
    )
    namespace: str = setting(
        "NEOSERVE_NAMESPACE", "neoserve", "Prefix of every key: two deployments may share one server."
    )
    log_level: str = setting(
        "NEOSERVE_LOG_LEVEL", "INFO", "Least severe log line that is written.", parse_log_level
    )
    log_format: LogFormat = setting(
        "NEOSERVE_LOG_FORMAT",
        LogFormat.TEXT,
        "Form of the log: `text`, or `json` with one object on each line.",
        parse_log_format,
    )
