"""The Celery application: `celery -A tasks.worker.app worker` needs nothing but the environment."""

from __future__ import annotations

import os
import sys
import warnings

from celery import Celery
from celery.exceptions import SecurityWarning

from tasks.jobs.names import TASK_NAME
from tasks.jobs.ring import celery_settings
from tasks.jobs.settings import InvalidSetting
from tasks.worker.lifecycle import Lifecycle
from tasks.worker.settings import WorkerSettings

#: A thread of the pool per text that is generated at the same time. Acknowledged early, without results, time
#: limits or prefetching: the job record has the leases, the deadlines and the results (docs/architecture.md).
WORKER_CONFIG = {
    "broker_transport": "tasks.worker.transport:RingTransport",
    "worker_pool": "tasks.worker.wakeup:WakingThreadPool",
    "worker_disable_prefetch": True,
    "worker_prefetch_multiplier": 1,
    "worker_enable_prefetch_count_reduction": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "task_acks_late": False,
    "task_track_started": False,
    "result_accept_content": ["json"],
}


def make_celery(settings: WorkerSettings) -> Celery:
    """The application of one worker. The model is loaded when the worker starts, not here."""
    app = Celery("neoserve", set_as_current=False)
    app.conf.update(celery_settings(settings), worker_concurrency=settings.max_batch_size, **WORKER_CONFIG)
    lifecycle = Lifecycle(settings)
    lifecycle.connect(app)

    # A shared task would also be that of every other application in this process.
    @app.task(name=TASK_NAME, shared=False)  # type: ignore[untyped-decorator]
    def generate(job_id: str) -> None:
        """There is work. `job_id` says who rang; the job that is run is the one whose turn it is."""
        lifecycle.run_next(job_id)

    return app


def from_environment() -> Celery:
    # Celery warns root because messages may be pickles; this worker accepts JSON only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    try:
        settings = WorkerSettings.from_env(os.environ)
    except InvalidSetting as error:
        sys.exit(f"neoserve worker: {error}")
    return make_celery(settings)


app = from_environment()
