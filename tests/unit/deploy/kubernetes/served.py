"""The API, as far as a probe or an Ingress can see it."""

from __future__ import annotations

import fakeredis
from flask import Flask

from api.app import create_app
from api.settings import ApiSettings
from tasks.jobs.listener import JobListener
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore


def app() -> Flask:
    settings = ApiSettings()
    store = JobStore(fakeredis.FakeRedis(decode_responses=True))
    listener = JobListener(settings.redis_url, settings.namespace)
    return create_app(settings, store=store, ring=RecordingRing(), listener=listener)
