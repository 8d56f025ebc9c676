"""A client of NeoServe: `NeoServe` for threads, `AsyncNeoServe` for asyncio. See docs/client.md."""

from __future__ import annotations

from neoserve.async_client import AsyncNeoServe
from neoserve.batch import Batch, BatchItem, Counts
from neoserve.client import NeoServe
from neoserve.decode import Failure, Text, Usage
from neoserve.delivery import Delivery
from neoserve.errors import (
    Conflict,
    FieldError,
    Gone,
    JobCanceled,
    JobExpired,
    JobFailed,
    NeoServeError,
    NotEnded,
    NotFound,
    Overloaded,
    RequestRefused,
    ServerError,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from neoserve.events import Done, Event, Queued, Started, Token
from neoserve.fleet import Health, Info, ModelLoad, WorkerLoad
from neoserve.job import Job, Metrics, Place, Progress

__all__ = [
    "AsyncNeoServe",
    "Batch",
    "BatchItem",
    "Conflict",
    "Counts",
    "Delivery",
    "Done",
    "Event",
    "Failure",
    "FieldError",
    "Gone",
    "Health",
    "Info",
    "Job",
    "JobCanceled",
    "JobExpired",
    "JobFailed",
    "Metrics",
    "ModelLoad",
    "NeoServe",
    "NeoServeError",
    "NotEnded",
    "NotFound",
    "Overloaded",
    "Place",
    "Progress",
    "Queued",
    "RequestRefused",
    "ServerError",
    "Started",
    "Text",
    "Token",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "Usage",
    "WorkerLoad",
]
