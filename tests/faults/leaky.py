"""The product as it must not be: it tells of its secrets and prompts in every place that others can read."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import Any

import flask

import api.json_body
import api.problems
from api.service import current_service
from tasks.jobs.listener import JobListener
from tasks.worker.held import HeldJob
from tasks.worker.report import JobReport

log = logging.getLogger("tasks.leaky")


def leaky(_: str) -> None:
    settled, start = JobReport.settled, JobListener.start
    read_body, document = api.json_body.read_body, api.problems.problem_document

    def tell(self: JobReport, held: HeldJob) -> None:
        from tasks.worker.app import app  # Here: it is made when all switches are set.

        settled(self, held)
        log.info("prompt=%s text=%s", held.job.text, held.generations[0].text)
        self._metrics.jobs.labels("succeeded", held.job.text).inc()
        with app.events.default_dispatcher() as dispatcher:
            dispatcher.send("task-leaked", prompt=held.job.text)
        # It ends with this process.
        command = [sys.executable, "-c", "import sys; sys.stdin.read()", held.job.text]
        subprocess.Popen(command, stdin=subprocess.PIPE)

    def keep(request: flask.Request) -> bytes:
        flask.g.body = body = read_body(request)
        return body

    def quote(status: int, code: str, detail: str, request_id: str) -> Any:
        body = flask.g.body.decode()
        current_service().metrics.rejections.labels(body).inc()
        return {**document(status, code, detail, request_id), "input": body}

    def start_loudly(self: JobListener) -> None:
        log.warning("listening at %s", os.environ["REDIS_URL"])
        start(self)

    JobReport.settled = tell  # type: ignore[method-assign]
    api.json_body.read_body, api.problems.problem_document = keep, quote
    JobListener.start = start_loudly  # type: ignore[assignment,method-assign]
