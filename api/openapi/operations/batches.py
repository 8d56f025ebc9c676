"""The routes of batches."""

from __future__ import annotations

from collections.abc import Mapping

from api.answers.batch import Batch, BatchItemResult, BatchPage
from api.batch_request import BatchItemRequest, BatchRequest
from api.openapi import examples
from api.openapi.operation import Answer, Content, Operation, json_of
from api.openapi.operations.common import BATCH, JSON_BODY, RECORD, STORE, UPLOAD

LINES = "application/jsonl"
LINES_BODY = {"options and two items": examples.BATCH_LINES}
LINES_RULE = 'One item in a line; the first line may be `{"batch": {…}}` with the options of the whole batch.'

WAITING = ("Cache-Control", "Retry-After")

BATCHES: Mapping[tuple[str, str], Operation] = {
    ("batches.create_batch", "POST"): Operation(
        id="createBatch",
        tag="Batches",
        summary="Record a batch",
        description="Every item is checked before any is recorded; the first 20 mistakes are named.",
        headers=("Idempotency-Key",),
        body=(
            *json_of(BatchRequest, two_items=examples.BATCH_REQUEST),
            Content(LINES, BatchItemRequest, LINES_BODY, LINES_RULE),
            Content("application/x-ndjson", BatchItemRequest, LINES_BODY, LINES_RULE),
        ),
        answers=(
            Answer(
                200,
                "Recorded, or the same as before with this `Idempotency-Key`, and the batch has ended.",
                json_of(Batch),
                ("Cache-Control", "Location", "Idempotent-Replayed?"),
            ),
            Answer(
                202,
                "Recorded.",
                json_of(Batch, running=examples.BATCH),
                (*WAITING, "Location", "Idempotent-Replayed?"),
            ),
        ),
        codes=(*JSON_BODY, *RECORD, "prompt_too_long", "no_model", "too_many_uploads", "batches_full"),
    ),
    ("batch_list.list_batches", "GET"): Operation(
        id="listBatches",
        tag="Batches",
        summary="List batches",
        description="The batches in store, the one recorded last first.",
        answers=(Answer(200, "A page of batches.", json_of(BatchPage), ("Cache-Control", "Link?")),),
        codes=("invalid_parameter", *STORE),
    ),
    ("batches.show_batch", "GET"): Operation(
        id="getBatch",
        tag="Batches",
        summary="Look at a batch",
        description="The batch and its items by state; with a wait, the moment it ends.",
        headers=("Prefer", "If-None-Match"),
        answers=(
            Answer(
                200,
                "The batch.",
                json_of(Batch, running=examples.BATCH),
                ("Cache-Control", "ETag", "Retry-After?", "Preference-Applied?"),
            ),
            Answer(
                304,
                "Nothing has changed.",
                (),
                ("Cache-Control", "ETag", "Retry-After?", "Preference-Applied?"),
            ),
        ),
        codes=("invalid_parameter", *BATCH),
    ),
    ("batches.show_results", "GET"): Operation(
        id="getBatchResults",
        tag="Batches",
        summary="Read a batch's results",
        description="One line for each item, in the order of the request, also of those that have not ended. "
        "An answer that breaks off was cut short: ask again.",
        answers=(
            Answer(
                200,
                "The results.",
                (Content(LINES, BatchItemResult, {}, "JSON lines."),),
                ("Cache-Control",),
            ),
        ),
        codes=("invalid_parameter", *BATCH),
    ),
}


def cancel(operation_id: str, summary: str, note: str) -> Operation:
    return Operation(
        id=operation_id,
        tag="Batches",
        summary=summary,
        description="What has not started is canceled at once, what runs stops at its next step. Takes no "
        f"body. {note}",
        answers=(
            Answer(200, "It is canceled, now or before.", json_of(Batch), ("Cache-Control",)),
            Answer(202, "Items run and were asked to stop.", json_of(Batch), WAITING),
        ),
        codes=(*UPLOAD, *BATCH, "batch_finished"),
    )


BATCHES = {
    **BATCHES,
    ("batches.cancel_batch", "DELETE"): cancel(
        "deleteBatch", "Stop a batch, as DELETE", "The same as `cancelBatch`."
    ),
    ("batches.cancel_batch", "POST"): cancel("cancelBatch", "Stop a batch", "The same as `deleteBatch`."),
}
