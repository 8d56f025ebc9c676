"""What the document says of each route, by endpoint and method. A new family of routes is added here."""

from __future__ import annotations

from collections.abc import Mapping

from api.openapi.operation import Operation
from api.openapi.operations.batches import BATCHES
from api.openapi.operations.events import EVENTS
from api.openapi.operations.jobs import JOBS
from api.openapi.operations.openai import OPENAI
from api.openapi.operations.pages import PAGES
from api.openapi.operations.service import SERVICE

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    **JOBS,
    **EVENTS,
    **BATCHES,
    **OPENAI,
    **SERVICE,
    **PAGES,
}

#: In the order of the reference.
TAGS: Mapping[str, str] = {
    "Jobs": "A text is asked for with a job: record it and wait for it, or look again later.",
    "Events": "A job's events as they happen, as server-sent events.",
    "Batches": "Up to 10,000 prompts under one name, for whoever needs none of them at once.",
    "OpenAI": "Completions for OpenAI's clients, with errors in the shape that those read.",
    "Service": "What operators and probes ask.",
    "Pages": "For people, and what describes this service.",
}
