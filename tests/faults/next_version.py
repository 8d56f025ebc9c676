"""The next version of all that processes share, and a version that forgets what it does not know.

Both change the product from outside, by a switch, in processes of the tests' own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from api import request
from tasks.jobs import card, reaper, record, ring, script, store
from tasks.jobs.record import SCHEMA_VERSION, to_json

NEXT_VERSION = SCHEMA_VERSION + 1

#: What it adds wherever something can be added: to the record and the JSON in it, the ring, the card, the
#: worker's registration, the stream's entries and the request.
FIELD, VALUE = "colour", "blue"

#: Beside the fields that the scripts read, those that this version writes into a record.
OTHER_FIELDS = (
    *(
        "text",
        "parameters",
        "model",
        "num_prompt_tokens",
        "deadline_ms",
        "metadata",
        "retry_of",
        "request_id",
        "traceparent",
        "requeued_at",
        "num_tokens",
    ),
    *("rows", "completed_at", "expires_at", "error_code", "error_detail"),
)

ChangeScripts = Callable[[str, str], None]


class NextRequest(request.PredictRequest):
    colour: str | None = None


def become_next(change_scripts: ChangeScripts) -> None:
    for module in (record, script, card, reaper):
        module.SCHEMA_VERSION = NEXT_VERSION  # type: ignore[attr-defined]
    request.PredictRequest = NextRequest  # type: ignore[misc]
    _add_to_records()
    _add_to_rings()
    card.to_json = lambda values: to_json({**values, FIELD: VALUE})  # type: ignore[assignment,attr-defined]
    event = "redis.pcall('XADD', key('events', job.id), '*', 'event', event,"
    change_scripts(event, f"{event} '{FIELD}', '{VALUE}',")
    beat = "redis.call('ZADD', key('seen'), now, fingerprint)"
    change_scripts(beat, f"{beat}\n  redis.call('HSET', key('worker', worker), '{FIELD}', '{VALUE}')")


def drop_unknown_fields(change_scripts: ChangeScripts) -> None:
    """As if a job were read, changed and written again as a whole when it starts."""
    known = ", ".join(f"['{name}'] = 1" for name in OTHER_FIELDS)
    forget = f"""
  local known = {{{known}}}
  for _, name in ipairs(CONTROL) do known[name] = 1 end
  for _, name in ipairs(redis.call('HKEYS', key('job', job.id))) do
    if not known[name] then redis.call('HDEL', key('job', job.id), name) end
  end"""
    start = "job.started_at = moment(age_ms, job.created_at)"
    change_scripts(start, start + forget)


def _add_to_records() -> None:
    encode_new_job, encode_rows = store.encode_new_job, store.encode_rows  # type: ignore[attr-defined]

    def encode_next_job(*arguments: Any) -> dict[str, Any]:
        fields = encode_new_job(*arguments)
        return {**fields, "parameters": _with_field(str(fields["parameters"])), FIELD: VALUE}

    def encode_next_rows(*arguments: Any) -> str:
        return to_json([{**row, FIELD: VALUE} for row in json.loads(encode_rows(*arguments))])

    store.encode_new_job = encode_next_job  # type: ignore[assignment,attr-defined]
    store.encode_rows = encode_next_rows  # type: ignore[assignment,attr-defined]


def _add_to_rings() -> None:
    celery_message = ring._celery_message

    def next_message(*arguments: Any) -> Mapping[str, Any]:
        message = celery_message(*arguments)
        return {**message, "headers": {**message["headers"], FIELD: VALUE}}

    ring._celery_message = next_message  # type: ignore[assignment]


def _with_field(text: str) -> str:
    return to_json({**json.loads(text), FIELD: VALUE})
