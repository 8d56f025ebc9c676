"""The Lua scripts that change the job record, each atomic on the server."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from itertools import takewhile
from typing import Any

import redis
from redis.exceptions import NoScriptError, ResponseError

from tasks.jobs.buckets import LATENCY_BUCKETS, TOKEN_BUCKETS
from tasks.jobs.errors import StoreBroken, StoreUnavailable
from tasks.jobs.record import SCHEMA_VERSION

#: Beginnings of error replies that say "not now" rather than "wrong".
_NOT_NOW = ("OOM", "READONLY", "MISCONF", "LOADING", "MASTERDOWN", "NOREPLICAS", "BUSY")

#: In replies about a key that holds what it should not; the prelude's own names it.
_WRONG_TYPE = re.compile(r"WRONGTYPE (?:(\S+ (?:is a \w+ and should be a \w+|holds no whole number))|)")

#: What a script says of itself in its first lines; behind the first come the names of parts in `shared`.
_NEEDS, _READS, _ACCEPTS = "needs: ", "reads only", "refused when memory is full"

Argument = str | int | float


@contextmanager
def unavailable_as_such() -> Iterator[None]:
    """Turn every error that means "the server cannot be used now" into StoreUnavailable."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, redis.InvalidResponse) as error:
        raise StoreUnavailable(f"The job store cannot be reached: {error}") from error
    except redis.RedisError as error:
        if isinstance(error, redis.OutOfMemoryError | redis.ReadOnlyError) or str(error).startswith(_NOT_NOW):
            raise StoreUnavailable(f"The job store refuses the call: {error}") from error
        wrong_type = _WRONG_TYPE.search(str(error))
        if wrong_type is not None:
            what = wrong_type[1] or "a key of the job store has another type than it should have"
            raise StoreBroken(f"{what}; somebody else has written it: delete it") from error
        raise


class Scripts:
    """Runs `scripts/<name>.lua` behind what all share; a server that lost the script gets it again."""

    def __init__(self, client: redis.Redis, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._sources: dict[str, tuple[str, str]] = {}
        self._knows_flags: bool | None = None  #: Not asked yet.

    def on(self, client: redis.Redis) -> Scripts:
        """The same scripts, run by another client of the same server."""
        other = Scripts(client, self._namespace)
        other._sources = self._sources
        return other

    def run(self, name: str, *arguments: Argument) -> Any:
        """Raises StoreUnavailable; then the script may have run or not, and running it again is safe."""
        with unavailable_as_such():
            source, sha = self._script(name)
            try:
                return self._client.evalsha(sha, 0, self._namespace, *arguments)
            except NoScriptError:
                return self._client.eval(source, 0, self._namespace, *arguments)

    def run_each(self, name: str, calls: Sequence[Sequence[Argument]]) -> list[Any]:
        """Run a script once for each list of arguments, in one round trip. Raises as `run` does."""
        if len(calls) == 1:
            return [self.run(name, *calls[0])]
        with unavailable_as_such():
            _, sha = self._script(name)
            with self._client.pipeline(transaction=False) as pipeline:
                for arguments in calls:
                    pipeline.evalsha(sha, 0, self._namespace, *arguments)
                answers = pipeline.execute(raise_on_error=False)
            for answer in answers:
                if isinstance(answer, Exception) and not isinstance(answer, NoScriptError):
                    raise answer
        return [
            self.run(name, *arguments) if isinstance(answer, NoScriptError) else answer
            for arguments, answer in zip(calls, answers, strict=True)
        ]

    def _script(self, name: str) -> tuple[str, str]:
        """Source and SHA-1."""
        if name not in self._sources:
            self._sources[name] = self._read(name)
        return self._sources[name]

    def _read(self, name: str) -> tuple[str, str]:
        shared = ["prelude", *_needed(_script_text(name))]
        parts = [_constants(shared), *map(_shared_text, shared), _script_text(name)]
        source = self._first_line(_said(_script_text(name))) + "\n".join(parts)
        return source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    def _first_line(self, said: Sequence[str]) -> str:
        """With a full memory a submit is refused before its first write; what ends jobs goes on. And a server
        that takes no writes can still be read."""
        if self._knows_flags is None:
            self._knows_flags = _knows_flags(self._client.eval)
        if not self._knows_flags:
            return ""
        if _READS in said:
            return "#!lua flags=no-writes\n"
        return "#!lua\n" if _ACCEPTS in said else "#!lua flags=allow-oom\n"


@cache
def _script_text(name: str) -> str:
    return files("tasks.jobs").joinpath("scripts", f"{name}.lua").read_text("utf-8")


def _shared_text(name: str) -> str:
    return _script_text(f"shared/{name}")


def _said(text: str) -> list[str]:
    """The comment that a script or a part begins with, line by line."""
    comment = takewhile(lambda line: line.startswith("-- "), text.splitlines())
    return [line.removeprefix("-- ") for line in comment]


def _needed(text: str) -> list[str]:
    """Names of parts, each behind those that it needs itself. No more: the server makes their functions anew
    in each call."""
    found: list[str] = []
    for line in _said(text):
        if line.startswith(_NEEDS):
            for name in line.removeprefix(_NEEDS).split(", "):
                found += [*_needed(_shared_text(name)), name]
    return list(dict.fromkeys(found))


def _knows_flags(evaluate: Callable[[str, int], Any]) -> bool:
    """Servers before Redis 7, and fakeredis, take the line for a syntax error."""
    try:
        evaluate("#!lua flags=no-writes\nreturn 1", 0)
    except ResponseError as error:
        if str(error).startswith(_NOT_NOW):
            raise
        return False
    return True


def _constants(shared: Sequence[str]) -> str:
    constants = f"local SCHEMA = {SCHEMA_VERSION}"
    if "tally" in shared:
        constants += f"\nlocal LATENCY_MS, TOKEN_MS = {_in_ms(LATENCY_BUCKETS)}, {_in_ms(TOKEN_BUCKETS)}"
    return constants


def _in_ms(bounds: Sequence[float]) -> str:
    return "{" + ", ".join(f"{1000 * bound:g}" for bound in bounds) + "}"
