"""Problems that many routes share."""

from __future__ import annotations

#: Of every request.
ANY = ("invalid_request", "request_timeout", "internal_error")

#: Of routes that ask the store.
STORE = ("store_unavailable", "store_broken", "other_version")

#: Of routes that read a body, if only to see that there is none.
UPLOAD = ("incomplete_body", "payload_too_large", "invalid_parameter")

JSON_BODY = (*UPLOAD, "malformed_json", "unsupported_media_type")

#: Of routes that record something.
RECORD = (*STORE, "invalid_header", "idempotency_key_reused", "not_durable")

#: Of routes that record a job.
SUBMIT = (*RECORD, "deadline_unmeetable", "queue_full", "too_many_jobs")

JOB = ("job_not_found", "not_found", "gone", *STORE)
BATCH = ("batch_not_found", "not_found", "batch_gone", *STORE)

#: How a job may end that a call waits for.
UNSUCCESSFUL = (
    *("canceled", "worker_lost", "model_unavailable", "deadline_exceeded", "expired"),
    *("generation_failed", "out_of_memory"),
)
