"""The Flask app, and the one place of the API where concrete classes meet."""

from __future__ import annotations

import os
import threading
import uuid
from typing import TYPE_CHECKING

from flask import Flask

from api.access import register_access
from api.authentication import register_authentication
from api.background import Background, MetricsPort
from api.batch_list_routes import batch_list
from api.batch_routes import batches as batch_routes
from api.batch_submission import BatchSubmission
from api.company import Company
from api.cross_origin import register_cross_origin
from api.event_routes import events
from api.exposure import refuse_limits_without_keys
from api.guests import Guests
from api.hangups import Hangups
from api.job_list_routes import job_list
from api.job_routes import jobs
from api.keyring import Keyring, keyring_of
from api.logs import set_up_logging
from api.metrics import ApiMetrics
from api.openai.routes import openai
from api.openapi.routes import register_reference
from api.page_routes import page
from api.problems import register_problems
from api.queue_collector import QueueCollector
from api.rate_limit import RateLimit, register_rate_limit
from api.recent_fleet import RecentFleet
from api.seats import Seats
from api.service import BACKGROUND, EXTENSION, STORE_SILENCE_SECONDS, Service
from api.service_routes import service as service_routes
from api.settings import ApiSettings
from api.streams import Streams
from api.submission import Submission
from api.surplus import register_surplus
from api.waiting import Listener, WaitingRoom
from api.webhooks.deliverer import WebhookDeliverer
from api.webhooks.sender import WebhookSender
from tasks.jobs.attendance import Attendance
from tasks.jobs.batch_store import BatchStore
from tasks.jobs.connection import connect
from tasks.jobs.event_hub import EventHub
from tasks.jobs.events import EventLog
from tasks.jobs.listener import JobListener
from tasks.jobs.reaper import Reaper
from tasks.jobs.ring import CeleryRing, Ring
from tasks.jobs.store import JobStore
from tasks.jobs.tracing import tracer_from_env
from tasks.jobs.webhook_queue import WebhookQueue

if TYPE_CHECKING:
    from tasks.jobs.otel import Tracer

CONNECTIONS = 64

#: A durable submit holds its connection until the disk has the job: up to a second or two.
DURABLE_CONNECTIONS = 512


def create_app(
    settings: ApiSettings,
    *,
    store: JobStore,
    ring: Ring,
    listener: Listener,
    hub: EventHub | None = None,
    hangups: Hangups | None = None,
    guests: Guests | None = None,
    keyring: Keyring | None = None,
    tracer: Tracer | None = None,
) -> Flask:
    """An app over the given collaborators. Starts no thread and asks nobody: whoever passes a listener, a
    hub, hangups, guests or a tracer starts and stops them. Without a hub every stream looks for itself;
    without hangups nobody is seen to close a connection; without guests no job hears that its clients have
    left; without a keyring nobody is asked for a key; without a tracer there are no spans."""
    app = Flask("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes + 1  # see read_body()
    app.url_map.merge_slashes = False  # //predict is no route, rather than a redirect built from Host
    metrics = ApiMetrics()
    metrics.exposed.register(QueueCollector(store))
    draining = threading.Event()
    hangups = hangups or Hangups()
    guests = guests or Guests(Attendance(store))
    hub = hub or EventHub(store.client, EventLog(store.client, store.namespace), store.namespace)
    seats, company = Seats(settings.max_waiters), Company(hangups, guests)
    submission = Submission(settings, store, ring)
    batches = BatchStore(store.client, store.namespace, durable=settings.durable_submit)
    app.extensions[EXTENSION] = Service(
        settings=settings,
        store=store,
        metrics=metrics,
        submission=submission,
        batches=BatchSubmission(settings, batches, submission, ring),
        waiting=WaitingRoom(store, listener, metrics, seats, company, draining=draining),
        streams=Streams(store, hub, seats, company, hangups, metrics, draining=draining),
        fleet=RecentFleet(store.fleet),
        draining=draining,
        tracer=tracer,
    )
    app.register_blueprint(jobs)
    app.register_blueprint(events)
    app.register_blueprint(job_list)
    app.register_blueprint(batch_routes)
    app.register_blueprint(batch_list)
    app.register_blueprint(service_routes)
    app.register_blueprint(openai)
    app.register_blueprint(page)
    register_access(app)
    register_cross_origin(app, settings.cors_origins)
    keyring = keyring or Keyring(())
    register_reference(app, settings, keyring)
    register_authentication(app, keyring)
    if settings.rate_limit is not None:
        register_rate_limit(app, RateLimit(settings.rate_limit, store.client, store.namespace))
    register_surplus(app)
    register_problems(app)
    return app


def from_environment() -> Flask:
    """The app for a server such as gunicorn, which then starts `app.extensions[BACKGROUND]`.

    Connects at the first request, so it also starts without Redis. Raises InvalidSetting. Whether others can
    reach it without a key only the server knows, which has to ask refuse_exposed().
    """
    settings = ApiSettings.from_env(os.environ)
    refuse_limits_without_keys(settings)
    set_up_logging(settings.log_level, settings.log_format)
    client = connect(
        settings.redis_url,
        max_connections=DURABLE_CONNECTIONS if settings.durable_submit else CONNECTIONS,
        socket_timeout=STORE_SILENCE_SECONDS,
    )
    store = JobStore(client, settings.namespace, durable=settings.durable_submit)
    ring = CeleryRing(settings.redis_url, settings.namespace)
    listener = JobListener(settings.redis_url, settings.namespace)
    hub = EventHub(
        connect(settings.redis_url, max_connections=1),
        EventLog(client, settings.namespace),
        settings.namespace,
    )
    hangups, guests = Hangups(), Guests(Attendance(store))
    tracer = tracer_from_env(os.environ, "neoserve-api", uuid.uuid4().hex)
    app = create_app(
        settings,
        store=store,
        ring=ring,
        listener=listener,
        hub=hub,
        hangups=hangups,
        guests=guests,
        keyring=keyring_of(settings),
        tracer=tracer,
    )
    exposed = app.extensions[EXTENSION].metrics.exposed
    deliverer = None
    if settings.webhook_secrets:
        sender = WebhookSender(settings.webhook_secrets, settings.webhook_allow)
        deliverer = WebhookDeliverer(WebhookQueue(client, settings.namespace), sender)
    app.extensions[BACKGROUND] = Background(
        listener,
        hub,
        hangups,
        guests,
        Reaper(store, ring),
        MetricsPort(settings.host, settings.metrics_port, exposed),
        *(part for part in (deliverer, tracer) if part is not None),
    )
    return app
