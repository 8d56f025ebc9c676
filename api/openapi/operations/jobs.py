"""The routes of jobs."""

from __future__ import annotations

from collections.abc import Mapping

from api.answers.job import Job, JobPage
from api.event_format import EVENT_STREAM
from api.openapi import examples
from api.openapi.operation import Answer, Content, Operation, json_of
from api.openapi.operations.common import JOB, JSON_BODY, STORE, SUBMIT, UNSUCCESSFUL, UPLOAD
from api.request import PredictRequest

NEW_JOB = json_of(
    PredictRequest,
    a_prompt=examples.PROMPT,
    every_choice=examples.CHOICES,
    several_texts=examples.SEVERAL_TEXTS,
    told_by_webhook=examples.WITH_WEBHOOK,
)

WAITING = ("Cache-Control", "Retry-After")
ENDED_BEFORE = Answer(
    200,
    "Recorded, or the same as before with this `Idempotency-Key`, and the job has ended.",
    json_of(Job),
    ("Cache-Control", "Location", "Idempotent-Replayed?"),
)
RECORDED = Answer(
    202,
    "Recorded. The job goes on.",
    json_of(Job, queued=examples.QUEUED_JOB),
    (*WAITING, "Location", "Idempotent-Replayed?"),
)

STREAM = Content(
    EVENT_STREAM,
    None,
    {"the whole stream": examples.STREAM},
    "Server-sent events, each of which is one of these; lines that begin with a colon are comments.",
)

JOBS: Mapping[tuple[str, str], Operation] = {
    ("jobs.predict", "POST"): Operation(
        id="predict",
        tag="Jobs",
        summary="Generate a text and wait for it",
        description="Records a job and waits for it. When the wait is over the answer is 202, and the job "
        "goes on. With `Accept: text/event-stream` the answer is the job's events instead.",
        headers=("Prefer", "Idempotency-Key"),
        body=NEW_JOB,
        answers=(
            Answer(
                200,
                "The texts are there; or the stream begins.",
                (*json_of(Job, succeeded=examples.SUCCEEDED_JOB), STREAM),
                ("Cache-Control", "Location", "Preference-Applied?", "Idempotent-Replayed?"),
            ),
            Answer(
                202,
                "Not yet: the job goes on.",
                json_of(Job, queued=examples.QUEUED_JOB),
                (*WAITING, "Location", "Preference-Applied?", "Idempotent-Replayed?"),
            ),
        ),
        codes=(*JSON_BODY, *SUBMIT, "prompt_too_long", "unknown_model", "no_model", "busy", *UNSUCCESSFUL),
    ),
    ("jobs.create_job", "POST"): Operation(
        id="createJob",
        tag="Jobs",
        summary="Record a job",
        description="Records a job and answers at once.",
        headers=("Idempotency-Key",),
        body=NEW_JOB,
        answers=(ENDED_BEFORE, RECORDED),
        codes=(*JSON_BODY, *SUBMIT, "prompt_too_long", "unknown_model", "no_model"),
    ),
    ("job_list.list_jobs", "GET"): Operation(
        id="listJobs",
        tag="Jobs",
        summary="List jobs",
        description="The jobs in store, the one submitted last first, without their texts. A page may have "
        "fewer jobs than `limit`; the end is where `next` is null.",
        answers=(Answer(200, "A page of jobs.", json_of(JobPage), ("Cache-Control", "Link?")),),
        codes=("invalid_parameter", *STORE),
    ),
    ("jobs.show_job", "GET"): Operation(
        id="getJob",
        tag="Jobs",
        summary="Look at a job",
        description="The job in whatever state it is; with a wait, the moment it ends.",
        headers=("Prefer", "If-None-Match"),
        answers=(
            Answer(
                200,
                "The job.",
                json_of(Job, succeeded=examples.SUCCEEDED_JOB, queued=examples.QUEUED_JOB),
                ("Cache-Control", "ETag", "Retry-After?", "Preference-Applied?"),
            ),
            Answer(
                304,
                "Nothing has changed.",
                (),
                ("Cache-Control", "ETag", "Retry-After?", "Preference-Applied?"),
            ),
        ),
        codes=("invalid_parameter", *JOB),
    ),
    ("jobs.retry_job", "POST"): Operation(
        id="retryJob",
        tag="Jobs",
        summary="Run a job once more",
        description="Records a job like the one that has ended, as a new one, with the same seed, and "
        "answers at once. Takes no body.",
        headers=("Idempotency-Key",),
        answers=(ENDED_BEFORE, RECORDED),
        codes=(*UPLOAD, *JOB, *SUBMIT, "job_not_ended"),
    ),
}


def cancel(operation_id: str, summary: str, note: str) -> Operation:
    return Operation(
        id=operation_id,
        tag="Jobs",
        summary=summary,
        description="A job that waits leaves the queue at once; one that runs stops at its next step. Takes "
        f"no body. {note}",
        answers=(
            Answer(200, "It is canceled, now or before.", json_of(Job), ("Cache-Control",)),
            Answer(202, "It runs and was asked to stop.", json_of(Job), ("Cache-Control",)),
        ),
        codes=(*UPLOAD, *JOB, "job_finished"),
    )


JOBS = {
    **JOBS,
    ("jobs.cancel_job", "DELETE"): cancel("deleteJob", "Stop a job, as DELETE", "The same as `cancelJob`."),
    ("jobs.cancel_job", "POST"): cancel("cancelJob", "Stop a job", "The same as `deleteJob`."),
}
