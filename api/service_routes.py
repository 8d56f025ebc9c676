"""What operators and probes ask: alive, ready, which models, how it goes."""

from __future__ import annotations

from flask import Blueprint, Response, request
from prometheus_client.exposition import choose_encoder

from api.answers import service as answer
from api.batch_request import MAX_ITEMS
from api.errors import Draining
from api.health import render_fleet
from api.json_body import MAX_DEPTH
from api.render import json_response, render_time
from api.request import MAX_METADATA_BYTES, SEVEN_DAYS_SECONDS
from api.resolve import default_parameters
from api.service import STORE_SECONDS, current_service
from api.settings import MAX_WAIT_SECONDS
from tasks.jobs.card import ModelCard
from tasks.jobs.deadline import time_limit
from tasks.jobs.exposition import known_format
from tasks.jobs.names import VERSION

service = Blueprint("service", __name__)


@service.get("/healthz")
def healthz() -> Response:
    """The process serves requests. Asks nobody else: restarting the API repairs no other part."""
    return json_response({"status": "ok"})


@service.get("/readyz")
def readyz() -> Response:
    """New requests are welcome. True without Redis, too: clients then get a 503 that says when to retry."""
    if current_service().draining.is_set():
        raise Draining()
    return json_response({"status": "ready"})


@service.get("/health")
def health() -> Response:
    """How the whole deployment does: its queue, its models, its workers. 200 whenever that is known."""
    with time_limit(STORE_SECONDS):
        fleet = current_service().fleet.read()
    return json_response(render_fleet(fleet, current_service().settings.max_queued))


@service.get("/info")
def info() -> Response:
    """Which models answer here, with what defaults, and what a request may hold."""
    settings = current_service().settings
    with time_limit(STORE_SECONDS):
        models = [render_model(card) for card in current_service().store.models()]
    limits: answer.Limits = {
        "max_body_bytes": settings.max_body_bytes,
        "max_prompt_chars": settings.max_prompt_chars,
        "max_json_depth": MAX_DEPTH,
        "max_metadata_bytes": MAX_METADATA_BYTES,
        "max_queued": settings.max_queued,
        "max_items_of_a_batch": min(MAX_ITEMS, settings.max_batch_items),
        "max_batch_items": settings.max_batch_items,
        "max_batch_bytes": settings.max_batch_bytes,
        "max_ttl_s": SEVEN_DAYS_SECONDS,
        "max_wait_s": MAX_WAIT_SECONDS,
        "default_wait_s": settings.sync_wait_seconds,
    }
    told: answer.Info = {"name": "neoserve", "version": VERSION, "models": models, "limits": limits}
    return json_response(told)


def render_model(card: ModelCard) -> answer.ModelInfo:
    return {
        "model": card.model,
        "revision": card.revision,
        "fingerprint": card.fingerprint,
        "max_positions": card.max_positions,
        "generation_defaults": default_parameters(card),
        "metadata": dict(card.metadata),
        "registered_at": render_time(card.registered_at),
        "workers": card.num_live_workers,
        "slots": card.num_live_slots,
        "precisions": dict(card.live_precisions),
    }


@service.get("/metrics")
def metrics() -> Response:
    """Prometheus' text format, or OpenMetrics for a scraper that asks for it."""
    encode, content_type = choose_encoder(known_format(request.headers.get("Accept", "")))
    return Response(encode(current_service().metrics.exposed), content_type=content_type)
