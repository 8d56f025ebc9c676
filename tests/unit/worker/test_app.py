from __future__ import annotations

from celery.concurrency import get_implementation

from tasks.jobs.names import QUEUE_NAME, TASK_NAME
from tasks.worker.app import make_celery
from tasks.worker.settings import WorkerSettings
from tasks.worker.wakeup import WakingThreadPool


def test_the_bare_command_gets_the_right_pool_and_size() -> None:
    app = make_celery(WorkerSettings(max_batch_size=5))
    assert get_implementation(app.conf.worker_pool) is WakingThreadPool
    assert app.conf.worker_concurrency == 5


def test_the_worker_takes_json_from_its_one_queue_and_leaves_time_limits_to_the_record() -> None:
    app = make_celery(WorkerSettings())
    conf = app.conf
    assert list(app.amqp.queues) == [QUEUE_NAME]
    assert conf.accept_content == conf.result_accept_content == ["json"]
    assert (conf.task_create_missing_queues, conf.task_ignore_result) == (False, True)
    assert (conf.task_acks_late, conf.worker_disable_prefetch) == (False, True)
    assert conf.task_time_limit is conf.task_soft_time_limit is None
    assert not conf.worker_soft_shutdown_timeout


def test_the_task_has_the_name_that_the_api_rings() -> None:
    app = make_celery(WorkerSettings())
    app.finalize()
    assert TASK_NAME in app.tasks
