"""Ids that leave the API."""

from __future__ import annotations

import re
import secrets

from flask import g

from tasks.jobs.errors import JobNotFound

JOB_ID = re.compile(r"job_[0-9a-f]{32}")
BATCH_ID = re.compile(r"batch_[0-9a-f]{32}")
#: What a client may choose: nothing that breaks a log line or a header.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def new_job_id() -> str:
    """128 random bits: an id cannot be guessed."""
    return "job_" + secrets.token_hex(16)


def new_batch_id() -> str:
    return "batch_" + secrets.token_hex(16)


def known_id(job_id: str) -> str:
    """Raises JobNotFound for what was never an id of ours, without asking the store."""
    if not JOB_ID.fullmatch(job_id):
        raise JobNotFound()
    g.job_id = job_id
    return job_id


def request_id(header: str | None) -> str:
    """The client's `X-Request-Id` where it is usable, else a new one."""
    if header is not None and REQUEST_ID.fullmatch(header):
        return header
    return "req_" + secrets.token_hex(12)
