"""Every code that a problem may have, with its status and its cause."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from api.errors import ApiError, Unsuccessful
from api.problems import CODE_OF_STATUS, STATUS_OF_STORE_ERROR


@dataclass(frozen=True, slots=True)
class Cause:
    statuses: tuple[int, ...]
    description: str


#: What has no exception of its own: refusals of the server and the framework, and how a job ended.
OTHERS: Mapping[str, Cause] = {
    "invalid_request": Cause((400, 414, 417, 431, 501), "It is not HTTP as this server takes it."),
    CODE_OF_STATUS[404]: Cause((404,), "There is nothing at this address."),
    CODE_OF_STATUS[405]: Cause((405,), "The address does not take this method; `Allow` says which."),
    "queue_full": Cause((429, 503), "As many jobs wait as may; nothing was recorded."),
    "batches_full": Cause((429,), "As many items of batches have not ended as may; nothing was recorded."),
    "internal_error": Cause((500,), "A mistake of the server's; the log has the `request_id`."),
    "generation_failed": Cause((500,), "The model failed on this job."),
    "out_of_memory": Cause((500,), "The worker ran out of memory on this job."),
    "canceled": Cause((409,), "Somebody canceled the job while the call waited for it."),
    "worker_lost": Cause((503,), "Three workers were lost with this job."),
    "model_unavailable": Cause((503,), "No worker with the job's model came in time."),
    "deadline_exceeded": Cause((504,), "The job's deadline passed while it ran."),
    "wait_over": Cause((503, 504), "The call has waited as long as it may."),
    "expired": Cause((504,), "The job's deadline passed before it began."),
}


def kinds(error: type[ApiError]) -> Iterator[type[ApiError]]:
    """Those that have a code of their own."""
    for each in error.__subclasses__():
        if not issubclass(each, Unsuccessful):
            yield each
        yield from kinds(each)


def words(error: type[Exception]) -> str:
    """The first paragraph of what it says of itself."""
    return " ".join(inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0].split())


def own_codes() -> dict[str, Cause]:
    return {each.code: Cause((each.status,), words(each)) for each in kinds(ApiError)}


def store_codes() -> dict[str, Cause]:
    return {each.code: Cause((status,), words(each)) for each, (status, _) in STATUS_OF_STORE_ERROR.items()}


CODES: Mapping[str, Cause] = {**own_codes(), **store_codes(), **OTHERS}


def by_status(codes: Iterable[str], queue_full_status: int) -> dict[int, list[str]]:
    """Of these codes, which a status may have."""
    found: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        statuses = (queue_full_status,) if code == "queue_full" else CODES[code].statuses
        for status in statuses:
            found.setdefault(status, []).append(code)
    return dict(sorted(found.items()))
