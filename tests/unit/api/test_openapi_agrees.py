"""The document says what the client library and docs/api.md say."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import neoserve
from api.answers.events import EVENTS
from api.openapi.problem_codes import CODES
from neoserve.batch import BatchItem, Counts
from neoserve.fields import BatchFields, JobFields
from neoserve.fleet import ModelLoad, WorkerLoad
from neoserve.job import Metrics, Place, Progress
from tests.unit.test_docs import rows

Json = dict[str, Any]

PAGE = Path(__file__).parents[3].joinpath("docs/api.md").read_text(encoding="utf-8")


@pytest.fixture
def schemas(client: FlaskClient) -> Json:
    document = client.get("/openapi.json").json
    assert document is not None
    found: Json = document["components"]["schemas"]
    return found


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Counts, "BatchCounts"),
        (Metrics, "Metrics"),
        (Place, "Queue"),
        (Progress, "Progress"),
        (WorkerLoad, "WorkerLoad"),
    ],
)
def test_the_client_library_knows_the_same_members(schemas: Json, kind: Any, name: str) -> None:
    assert {each.name for each in dataclasses.fields(kind)} == set(schemas[name]["properties"])


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (neoserve.Job, "Job"),
        (neoserve.Batch, "Batch"),
        (BatchItem, "BatchItemResult"),
        (ModelLoad, "ModelLoad"),
    ],
)
def test_the_client_library_reads_nothing_that_is_not_sent(schemas: Json, kind: Any, name: str) -> None:
    own = {each.name for each in dataclasses.fields(kind)} - {"raw"}
    assert own <= set(schemas[name]["properties"])


def test_the_client_library_may_send_the_same_fields(schemas: Json) -> None:
    sent = {"text", "webhook", "webhook_events"}
    assert set(JobFields.__annotations__) | sent == set(schemas["PredictRequest"]["properties"])
    assert set(BatchFields.__annotations__) | {"requests", "webhook"} == set(
        schemas["BatchRequest"]["properties"]
    )


def table(heading: str) -> set[str]:
    """Names in the first column of the tables with this head."""
    tables = re.findall(rf"^\| {heading} \|.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    first = [line.split("|")[1] for each in tables for line in each.splitlines()]
    return {name for cell in first for name in re.findall(r"`(\w+)`", cell)}


def test_the_tables_of_the_docs_name_the_same_fields(schemas: Json) -> None:
    assert table("field") == set(schemas["PredictRequest"]["properties"])
    assert table("option") == set(schemas["BatchRequest"]["properties"]) - {"requests"}
    assert table("member") <= set(schemas["Job"]["properties"])
    assert table("event") >= set(EVENTS)


def test_the_docs_name_the_same_limits(schemas: Json) -> None:
    fields = schemas["PredictRequest"]["properties"]
    assert f"how many texts, 1 to {fields['num_return_sequences']['maximum']}" in PAGE
    assert f"up to {fields['stop']['anyOf'][1]['maxItems']}, at which the text ends" in PAGE
    assert fields["ttl_s"]["maximum"] == 7 * 24 * 3600
    assert f"Up to {schemas['BatchRequest']['properties']['requests']['maxItems']:,} prompts" in PAGE


def test_the_problem_table_of_the_docs_has_the_same_codes_with_the_same_status() -> None:
    listed: dict[str, set[int]] = {}
    for cells in rows("api.md"):
        if cells[0][0].isdigit():
            for code in re.findall(r"`(\w+)`", cells[1]):
                listed.setdefault(code, set()).update(map(int, re.findall(r"\d{3}", cells[0])))
    assert set(listed) == set(CODES)
    for code, statuses in listed.items():
        other = {503} if code == "queue_full" else set()  # By a setting.
        own = set(CODES[code].statuses)
        assert statuses | other == own, code
