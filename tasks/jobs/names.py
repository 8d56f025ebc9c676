"""The names that API and worker must agree on."""

from __future__ import annotations

#: The Celery task that rings a worker.
TASK_NAME = "neoserve.generate"

#: The one Celery queue; a Redis list of the same name in the broker's database.
QUEUE_NAME = "generate"

#: The same as in setup.cfg. Images hold the source without installing it, so there is no metadata to ask.
VERSION = "0.1.0"
