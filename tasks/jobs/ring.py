"""Ringing the workers: a Celery message that says "there is work" and nothing else."""

from __future__ import annotations

import ssl
from typing import Any, Protocol

import celery
import redis
from kombu.exceptions import KombuError

from tasks.jobs.connection import (
    CONNECT_TIMEOUT_SECONDS,
    HEALTH_CHECK_SECONDS,
    SOCKET_TIMEOUT_SECONDS,
    connect,
)
from tasks.jobs.errors import RingFailed
from tasks.jobs.names import QUEUE_NAME, TASK_NAME
from tasks.jobs.script import unavailable_as_such
from tasks.jobs.settings import Settings

_ONE_SHORT_TRY = {
    "socket_timeout": CONNECT_TIMEOUT_SECONDS,
    "max_retries": 1,
    "interval_start": 0,
    "interval_max": 0,
}


_TLS = {"ssl_cert_reqs": ssl.CERT_REQUIRED}


class Ring(Protocol):
    def ring(self, job_id: str) -> None:
        """Wake one worker; `job_id` is for tracing only. Raises RingFailed."""

    def pending(self) -> int:
        """Rings that no worker has heard yet. Raises StoreUnavailable."""


class CeleryRing:
    """Rings through the Celery queue. Thread-safe; it connects at the first ring."""

    def __init__(self, redis_url: str, namespace: str = Settings.namespace) -> None:
        settings = Settings(redis_url=redis_url, namespace=namespace)
        self._list = key_prefix(namespace) + QUEUE_NAME
        self._client = connect(redis_url, max_connections=4)
        self._app = celery.Celery("neoserve-ring", set_as_current=False)
        self._app.conf.update(celery_settings(settings))
        # A client waits for its answer: one short try, then the reaper rings.
        self._app.conf.broker_transport_options |= _ONE_SHORT_TRY
        self._app.conf.task_publish_retry = False

    def ring(self, job_id: str) -> None:
        try:
            self._app.send_task(TASK_NAME, args=[job_id], queue=QUEUE_NAME, ignore_result=True)
        except (KombuError, redis.RedisError, OSError) as error:
            raise RingFailed(f"no worker could be told; this is repeated ({type(error).__name__})") from error

    def pending(self) -> int:
        with unavailable_as_such():
            return int(self._client.llen(self._list))

    def close(self) -> None:
        self._app.close()
        self._client.close()


class RecordingRing:
    """For tests: remembers whom it rang."""

    def __init__(self) -> None:
        self.job_ids: list[str] = []

    def ring(self, job_id: str) -> None:
        self.job_ids.append(job_id)

    def pending(self) -> int:
        return len(self.job_ids)


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
