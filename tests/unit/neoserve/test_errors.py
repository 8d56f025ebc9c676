"""Every problem of the service has a family, with all that the service said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import neoserve
from neoserve import FieldError, NeoServeError
from neoserve.effects import Answer
from neoserve.problem import error_of
from tests.unit.neoserve.network import job_json, problem

API = Path(__file__).parents[3] / "docs/api.md"


def answer(status: int, body: object, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed_json", neoserve.RequestRefused),
        (401, "unauthorized", neoserve.Unauthorized),
        (404, "job_not_found", neoserve.NotFound),
        (409, "job_not_ended", neoserve.Conflict),
        (410, "gone", neoserve.Gone),
        (413, "payload_too_large", neoserve.RequestRefused),
        (422, "unknown_model", neoserve.RequestRefused),
        (429, "batches_full", neoserve.Overloaded),
        (503, "busy", neoserve.Overloaded),
        (503, "store_broken", neoserve.Unavailable),
        (500, "internal_error", neoserve.ServerError),
        (501, "invalid_request", neoserve.ServerError),
    ],
)
def test_a_problem_is_of_its_family(status: int, code: str, kind: type[NeoServeError]) -> None:
    error = error_of(answer(status, problem(status, code)))
    assert type(error) is kind
    assert (error.code, error.status, str(error)) == (code, status, f"In words. [{code}]")


def test_an_error_holds_what_the_service_said() -> None:
    body = problem(422, "invalid_parameter", errors=[{"field": "text", "message": "is too long"}])
    error = error_of(Answer(422, {"x-request-id": "req_2", "retry-after": "3"}, json.dumps(body).encode()))
    assert error.errors == (FieldError("text", "is too long"),)
    assert (error.request_id, error.retry_after, error.job) == ("req_2", 3.0, None)


@pytest.mark.parametrize("code", ["job_finished", "job_not_ended"])
def test_a_job_in_the_wrong_state_has_not_failed(code: str) -> None:
    error = error_of(answer(409, problem(409, code, job=job_json())))
    assert type(error) is neoserve.Conflict
    assert error.job is not None


@pytest.mark.parametrize("body", ["hello", [], {}, None])
def test_another_program_at_the_address_is_recognised(body: object) -> None:
    assert type(error_of(answer(404, body))) is neoserve.UnexpectedAnswer


@pytest.mark.parametrize("members", [{"errors": [1]}, {"job": {}}])
def test_a_problem_of_another_program_is_none(members: dict[str, object]) -> None:
    with pytest.raises(neoserve.UnexpectedAnswer):
        error_of(answer(404, {"code": "x", **members}))


def test_every_code_of_the_contract_is_of_a_family_that_says_what_to_do() -> None:
    rows = [
        line.strip("|").split("|") for line in API.read_text().splitlines() if re.match(r"\| \d{3}", line)
    ]
    families = {
        code: type(error_of(answer(int(row[0].split(",")[0]), problem(int(row[0].split(",")[0]), code))))
        for row in rows
        for code in re.findall(r"`(\w+)`", row[1])
    }
    assert len(families) > 30
    refused = {code for code, kind in families.items() if issubclass(kind, neoserve.RequestRefused)}
    assert {"malformed_json", "prompt_too_long", "deadline_unmeetable", "idempotency_key_reused"} <= refused
    unknown = {code for code, kind in families.items() if kind is neoserve.ServerError}
    assert unknown == {"internal_error", "generation_failed", "out_of_memory"}
