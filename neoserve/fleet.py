"""The service as a whole, as it shows itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neoserve.decode import Json


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """One model: its workers, their slots and jobs, what waits by priority, tokens in a second, seconds to
    wait by priority (None where nothing is known)."""

    model: str
    workers: int
    slots: int
    jobs: int
    queued: Mapping[str, int]
    tokens_per_s: float | None
    estimated_wait_s: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class WorkerLoad:
    """One live worker; `jobs` are those that it holds."""

    id: str
    model: str
    slots: int
    jobs: int
    running: int


@dataclass(frozen=True, slots=True)
class Health:
    """The whole fleet; `reasons` are the codes of what is wrong. See docs/api.md, "The fleet"."""

    status: str
    reasons: tuple[str, ...]
    jobs: Mapping[str, int]
    queue_depth: int
    queue_limit: int
    oldest_age_s: float
    models: tuple[ModelLoad, ...]
    workers: tuple[WorkerLoad, ...]
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, raw: Json) -> Health:
        queue = raw["queue"]
        return cls(
            status=raw["status"],
            reasons=tuple(raw["reasons"]),
            jobs=raw["jobs"],
            queue_depth=queue["depth"],
            queue_limit=queue["limit"],
            oldest_age_s=queue["oldest_age_s"],
            models=tuple(
                ModelLoad(*(model[name] for name in ModelLoad.__dataclass_fields__))
                for model in raw["models"]
            ),
            workers=tuple(
                WorkerLoad(*(worker[name] for name in WorkerLoad.__dataclass_fields__))
                for worker in raw["workers"]
            ),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class Info:
    """The service's version, the models as it describes them, and the limits of a request."""

    version: str
    models: tuple[Json, ...]
    limits: Json
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, raw: Json) -> Info:
        return cls(version=raw["version"], models=tuple(raw["models"]), limits=raw["limits"], raw=raw)
