"""Ringing the workers: a Celery message that says "there is work" and nothing else."""

from __future__ import annotations

import base64
import json
import ssl
import uuid
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

import celery
import redis
from kombu.connection import Connection

from tasks.jobs.connection import (
    CONNECT_TIMEOUT_SECONDS,
    HEALTH_CHECK_SECONDS,
    SOCKET_TIMEOUT_SECONDS,
    connect,
)
from tasks.jobs.errors import RingFailed
from tasks.jobs.names import QUEUE_NAME, TASK_NAME
from tasks.jobs.protocol import RingMessage
from tasks.jobs.record import to_json
from tasks.jobs.script import unavailable_as_such
from tasks.jobs.settings import Settings

_TLS = {"ssl_cert_reqs": ssl.CERT_REQUIRED}


class Ring(Protocol):
    @property
    def list(self) -> str:
        """Where the rings are that no worker has heard yet."""

    def message(self, job_id: str) -> RingMessage:
        """A ring for a script to put into the queue; it wakes one worker. `job_id` is for tracing only."""

    def template(self, batch_id: str, /) -> RingMessage:
        """The same for each item of a batch: the script that makes it a job puts its id for the two marks."""


class CeleryRing:
    """Rings through the Celery queue. Thread-safe; it connects at the first ring.

    All rings but for their ids are one message. Celery makes it once; from then on a ring is one LPUSH, which
    a script may do as well, a fifth of what publishing through Celery and kombu costs.
    """

    def __init__(self, redis_url: str, namespace: str = Settings.namespace) -> None:
        self._settings = Settings(redis_url=redis_url, namespace=namespace)
        self.list = key_prefix(namespace) + QUEUE_NAME
        # One short try; the reaper rings again, and nobody should wait for it meanwhile.
        self._client = connect(redis_url, max_connections=16, socket_timeout=CONNECT_TIMEOUT_SECONDS)

    def message(self, job_id: str) -> RingMessage:
        return RingMessage(list=self.list, entry=self._template.addressed(job_id))

    def template(self, batch_id: str, /) -> RingMessage:
        return RingMessage(list=self.list, entry=self._template.naming(batch_id))

    def ring(self, job_id: str) -> None:
        """Wake one worker at once. Raises RingFailed."""
        message = self.message(job_id)
        try:
            self._client.lpush(message.list, message.entry)
        except (redis.RedisError, OSError) as error:
            raise RingFailed(f"no worker could be told; this is repeated ({type(error).__name__})") from error

    def pending(self) -> int:
        """Rings that no worker has heard yet. Raises StoreUnavailable."""
        with unavailable_as_such():
            return int(self._client.llen(self.list))

    def close(self) -> None:
        self._client.close()

    @cached_property
    def _template(self) -> _Template:
        return _Template(_celery_message(self._settings))


class RecordingRing:
    """For tests: its messages are ids of jobs and go into a list of their own."""

    LIST = "rung"
    list = LIST

    def message(self, job_id: str) -> RingMessage:
        return RingMessage(list=self.LIST, entry=job_id)

    def template(self, _batch_id: str, /) -> RingMessage:
        return RingMessage(list=self.LIST, entry=_Template.TASK)


class _Template:
    """A Celery message for any job: the text is made once, with marks where messages differ."""

    TASK, TAG, BODY, ARGUMENTS = "<task id>", "<delivery tag>", "<body>", "<arguments>"

    def __init__(self, message: Mapping[str, Any]) -> None:
        _, *self._rest = json.loads(base64.b64decode(message["body"]))
        ids = {"id": self.TASK, "root_id": self.TASK, "argsrepr": self.ARGUMENTS}
        tags = {"correlation_id": self.TASK, "delivery_tag": self.TAG}
        self._text = to_json(
            {
                **message,
                "body": self.BODY,
                "headers": {**message["headers"], **ids},
                "properties": {**message["properties"], **tags},
            }
        )

    def addressed(self, job_id: str) -> str:
        """The message of a task of its own, which names that job."""
        text = self.naming(job_id)
        return text.replace(self.TASK, str(uuid.uuid4())).replace(self.TAG, str(uuid.uuid4()))

    def naming(self, rung_by: str) -> str:
        """With the marks of the task's own ids left in it; batch.lua knows these."""
        body = base64.b64encode(to_json([[rung_by], *self._rest]).encode()).decode()
        text = self._text.replace(self.BODY, body)
        return text.replace(f'"{self.ARGUMENTS}"', to_json(repr([rung_by])))


def _celery_message(settings: Settings) -> Mapping[str, Any]:
    """A ring as kombu puts it into the queue, taken from a queue in memory."""
    memory = Connection("memory://")  # type: ignore[no-untyped-call]
    with celery.Celery("neoserve-ring", set_as_current=False) as app, memory:
        app.conf.update(celery_settings(settings))
        app.send_task(TASK_NAME, args=[""], queue=QUEUE_NAME, ignore_result=True, connection=memory)
        message: Mapping[str, Any] = memory.default_channel._get(QUEUE_NAME)  # type: ignore[no-untyped-call]
    return message


def key_prefix(namespace: str) -> str:
    """Before every key of Celery. Tools around Celery look for its plain names: the default keeps them."""
    return "" if namespace == Settings.namespace else f"{namespace}:"


def celery_settings(settings: Settings) -> dict[str, Any]:
    """What both ends of the queue must agree on, and how both talk to the broker."""
    return {
        "broker_url": settings.redis_url,
        # kombu would accept any certificate; what the URL's query says about TLS still counts.
        "broker_use_ssl": _TLS if settings.redis_url.startswith("rediss:") else False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": CONNECT_TIMEOUT_SECONDS,
        # One publish at a time is short; a caller that finds none free must not wait for ever.
        "broker_pool_limit": 16,
        "broker_pool_acquire_timeout": 2,
        "broker_transport_options": {
            "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "socket_timeout": SOCKET_TIMEOUT_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": HEALTH_CHECK_SECONDS,
            "retry_on_timeout": False,
            "max_connections": 64,
            "global_keyprefix": key_prefix(settings.namespace),
            # To note every message that is not acknowledged costs two round trips each; a ring that got lost
            # with its worker is rung again by the reaper.
            "ack_emulation": False,
        },
        "task_default_queue": QUEUE_NAME,
        "task_create_missing_queues": False,
        "task_ignore_result": True,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "enable_utc": True,
    }
