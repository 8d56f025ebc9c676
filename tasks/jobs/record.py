"""How a job is written into its Redis hash and read back. The scripts own the fields that change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.jobs.errors import OtherVersion
from tasks.jobs.models import Job, JobError, JobStatus, NewJob, Parameters, Priority, Row
from tasks.jobs.origin import Origin, parse_traceparent
from tasks.jobs.webhook import decode_deliveries, decode_webhook, encode_webhook

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: Of all that is shared through the server, and written into every record and card. Processes of this
#: version work beside those of the one before and of the one after; docs/operations.md says how to change
#: what is shared.
SCHEMA_VERSION = 1

Known = TypeVar("Known", bound="DataclassInstance")


def is_neighbour(schema: int) -> bool:
    """Whether this process may read and change what that version has written."""
    return abs(schema - SCHEMA_VERSION) <= 1


def check_schema(schema: str | int) -> None:
    """Raises OtherVersion for what a version has written that is no neighbour."""
    if not is_neighbour(int(schema)):
        raise OtherVersion(int(schema), SCHEMA_VERSION)


def encode_new_job(new: NewJob) -> dict[str, str | int]:
    """The fields that never change after submit."""
    return {
        "schema": SCHEMA_VERSION,
        "id": new.id,
        "text": new.text,
        "parameters": to_json(as_dict(new.parameters)),
        "num_rows": new.parameters.num_return_sequences,
        "work": new.parameters.max_tokens,
        "model": new.model,
        "fingerprint": new.fingerprint,
        "num_prompt_tokens": new.num_prompt_tokens,
        "ttl_seconds": new.ttl_seconds,
        "priority": new.priority,
        "owner": new.owner,
        "deadline_ms": "" if new.deadline_seconds is None else round(new.deadline_seconds * 1000),
        "cancel_on_disconnect": int(new.cancel_on_disconnect),
        "followed": int(new.followed),
        "metadata": to_json(dict(new.metadata)),
        "idempotency": idempotency_name(new.owner, new.idempotency_key),
        "retry_of": new.retry_of or "",
        "request_id": new.origin.request_id,
        "traceparent": new.origin.traceparent,
        "mode": new.mode,
        **encode_webhook(new.webhook),
    }


def queued_job(new: NewJob, created_ms: int, deadline_ms: int | str) -> Job:
    """The job that a submit has just recorded, at that time by the clock of the server."""
    return Job(
        **new.spec(),
        status=JobStatus.QUEUED,
        created_at=created_ms / 1000,
        attempt=0,
        losses=0,
        deadline_at=int(deadline_ms) / 1000 if deadline_ms else None,
        followed=new.followed,
        origin=new.origin,
    )


def encode_rows(rows: Sequence[Row]) -> str:
    return to_json([as_dict(row) for row in rows])


def decode_rows(text: str | None) -> tuple[Row, ...]:
    return tuple(decode_known(Row, row) for row in json.loads(text or "[]"))


def decode_job(flat: Sequence[str]) -> Job:
    """From the reply of HGETALL. Raises OtherVersion."""
    record = dict(zip(flat[::2], flat[1::2], strict=True))
    check_schema(record["schema"])
    return Job(
        id=record["id"],
        status=JobStatus(record["status"]),
        text=record["text"],
        parameters=decode_parameters(record["parameters"]),
        model=record["model"],
        fingerprint=record["fingerprint"],
        num_prompt_tokens=int(record["num_prompt_tokens"]),
        priority=Priority(record["priority"]),
        owner=record["owner"],
        created_at=int(record["created_at"]) / 1000,
        ttl_seconds=int(record["ttl_seconds"]),
        attempt=int(record["attempt"]),
        losses=int(record["losses"]),
        num_tokens=int(record.get("num_tokens", 0)),
        started_at=_seconds(record, "started_at"),
        first_token_at=_seconds(record, "first_token_at"),
        completed_at=_seconds(record, "completed_at"),
        expires_at=_seconds(record, "expires_at"),
        deadline_at=_seconds(record, "deadline_at"),
        cancel_requested=record.get("cancel_requested") == "1",
        cancel_on_disconnect=record.get("cancel_on_disconnect") == "1",
        followed=record.get("followed") == "1",
        last_event=record.get("last_event", ""),
        rows=decode_rows(record.get("rows")),
        error=decode_error(record),
        metadata=json.loads(record["metadata"]),
        retry_of=record["retry_of"] or None,
        batch_id=record.get("batch") or None,
        origin=Origin(record.get("request_id", ""), parse_traceparent(record.get("traceparent"))),
        webhook=decode_webhook(record),
        deliveries=decode_deliveries(record),
        requeued_at=_seconds(record, "requeued_at"),
    )


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def as_dict(values: DataclassInstance) -> dict[str, Any]:
    """Its members by name, as they are: `dataclasses.asdict` copies them deeply, at ten times the price."""
    return {each.name: getattr(values, each.name) for each in fields(values)}


def decode_known(kind: type[Known], values: Mapping[str, Any]) -> Known:
    """A `kind` from what it knows of `values`: a later version may have written more."""
    return kind(**{each.name: values[each.name] for each in fields(kind) if each.name in values})


def decode_parameters(text: str) -> Parameters:
    values = json.loads(text)
    return decode_known(Parameters, {**values, "stop": tuple(values["stop"])})


def decode_error(record: Mapping[str, str]) -> JobError | None:
    if not record.get("error_code"):
        return None
    return JobError(code=record["error_code"], detail=record["error_detail"])


def _seconds(record: Mapping[str, str], name: str) -> float | None:
    value = record.get(name)
    return int(value) / 1000 if value else None


def idempotency_name(owner: str, key: str | None) -> str:
    """Clients choose their keys freely; a hash keeps the name short and each owner's keys apart."""
    return "" if key is None else hashlib.sha256(f"{owner}\0{key}".encode()).hexdigest()
