"""The names that API and worker must agree on."""

from __future__ import annotations

#: The Celery task that rings a worker.
TASK_NAME = "neoserve.generate"

#: The one Celery queue; a Redis list of the same name in the broker's database.
QUEUE_NAME = "generate"
