"""Entries of the queue's list, where anybody who reaches the server may write."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from tasks.jobs.names import QUEUE_NAME, TASK_NAME

Message = dict[str, Any]

#: What a ring never has, in the form in which Celery says so.
_NO_FOLLOWERS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def ring_of(entry: Any) -> Message | None:
    """The Celery message of a ring, made anew; None where the decoded entry is no ring.

    kombu and Celery take many parts of a message for granted and end the worker over an odd one. A ring says
    "there is work" and nothing else, so only its id and the id of the job that rang go on.
    """
    try:
        task, task_id, body = entry["headers"]["task"], entry["headers"]["id"], entry["body"]
        (job_id,), options, *_ = json.loads(base64.b64decode(body))
    except (KeyError, RecursionError, TypeError, ValueError):
        return None
    if (task, options) != (TASK_NAME, {}) or not (isinstance(task_id, str) and isinstance(job_id, str)):
        return None
    return _message(task_id, job_id)


def _message(task_id: str, job_id: str) -> Message:
    body = json.dumps([[job_id], {}, _NO_FOLLOWERS])
    return {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": TASK_NAME, "id": task_id, "root_id": task_id},
        "properties": {
            "body_encoding": "base64",
            "correlation_id": task_id,
            "delivery_info": {"exchange": "", "routing_key": QUEUE_NAME},
            "delivery_tag": uuid.uuid4().hex,
        },
    }
