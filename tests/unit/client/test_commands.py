"""The commands as a user types them, against a small server on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from client.http import ServiceClient
from client.job import JobView
from client.main import main
from client.ports import free_port
from tests.unit.client.conftest import FakeService

MakeJob = Callable[..., dict[str, Any]]


def neoserve(*arguments: str, input: str | None = None, **environ: str) -> Result:
    return CliRunner().invoke(main, arguments, input=input, env=environ)


def test_predict_prints_the_text_and_nothing_else(service: FakeService, job_json: MakeJob) -> None:
    service.answer(200, job_json())
    result = neoserve("predict", "Hello, world!", "--url", service.url)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Hello, world! Again.\n", "")
    assert service.calls == [("POST", "/predict?wait=30", {"text": "Hello, world!"})]


def test_predict_sends_only_what_was_asked_for(service: FakeService, job_json: MakeJob) -> None:
    service.answer(200, job_json())
    options = [
        "--max-length",
        "50",
        "--max-new-tokens",
        "9",
        "--temperature",
        "0.5",
        "--seed",
        "7",
        "--greedy",
    ]
    neoserve("predict", "Hi", *options, "--url", service.url)
    assert service.calls[0][2] == {
        "text": "Hi",
        "max_length": 50,
        "max_new_tokens": 9,
        "temperature": 0.5,
        "seed": 7,
        "do_sample": False,
    }


def test_predict_reads_a_dash_from_standard_input(service: FakeService, job_json: MakeJob) -> None:
    service.answer(200, job_json())
    neoserve("predict", "-", "--url", service.url, input="Two\nlines\n")
    assert service.calls[0][2] == {"text": "Two\nlines"}


def test_predict_as_json_is_the_whole_job(service: FakeService, job_json: MakeJob) -> None:
    service.answer(200, job_json())
    result = neoserve("predict", "Hi", "--json", "--url", service.url)
    assert json.loads(result.stdout) == job_json()


def test_the_address_comes_from_the_environment_too(service: FakeService, job_json: MakeJob) -> None:
    service.answer(200, job_json())
    assert neoserve("predict", "Hi", NEOSERVE_URL=service.url).exit_code == 0


def test_a_service_that_is_away_is_one_line_and_exit_code_3() -> None:
    result = neoserve("predict", "Hi", "--url", f"http://127.0.0.1:{free_port()}")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.startswith("neoserve: No service answers at")
    assert result.stderr.count("\n") == 1


def test_a_refused_request_is_one_line_and_exit_code_4(service: FakeService) -> None:
    service.answer(422, {"code": "invalid_parameter", "detail": "temperature: must be above 0"})
    result = neoserve("predict", "Hi", "--temperature", "-1", "--url", service.url)
    assert result.exit_code == 4
    assert result.stderr == "neoserve: temperature: must be above 0 (invalid_parameter)\n"


def test_a_job_that_failed_is_one_line_and_exit_code_1(service: FakeService, job_json: MakeJob) -> None:
    service.answer(500, {"code": "model_error", "detail": "It broke.", "job": job_json("failed")})
    result = neoserve("predict", "Hi", "--url", service.url)
    assert result.exit_code == 1
    assert result.stderr == "neoserve: Job job-1 ended without a result: It broke. (model_error)\n"


def test_ctrl_c_ends_a_command_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> JobView:
        raise KeyboardInterrupt

    monkeypatch.setattr(ServiceClient, "predict_to_the_end", interrupted)
    result = neoserve("predict", "Hi")
    assert (result.exit_code, result.output) == (130, "")


def test_submit_prints_the_id_alone_and_says_how_to_follow(service: FakeService, job_json: MakeJob) -> None:
    service.answer(202, job_json("queued"))
    result = neoserve("submit", "Hi", "--url", service.url)
    assert result.stdout == "job-1\n"
    assert result.stderr == f"Follow it with: neoserve status job-1 --wait --url {service.url}\n"
    assert service.calls == [("POST", "/jobs", {"text": "Hi"})]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"status": "queued", "queue": {"position": 3}}, "queued, number 3 in line\n"),
        ({"status": "queued"}, "queued\n"),
        (
            {"status": "running", "progress": {"tokens": 7, "max_new_tokens": 50}},
            "running, 7 of 50 tokens\n",
        ),
        ({"status": "succeeded"}, "succeeded\n\nHello, world! Again.\n"),
    ],
)
def test_status_says_how_the_job_is_doing(
    members: dict[str, Any], words: str, service: FakeService, job_json: MakeJob
) -> None:
    service.answer(200, job_json(**members))
    result = neoserve("status", "job-1", "--url", service.url)
    assert (result.exit_code, result.stdout) == (0, words)


def test_status_of_a_job_without_a_result_is_exit_code_1(service: FakeService, job_json: MakeJob) -> None:
    service.answer(200, job_json("canceled"))
    result = neoserve("status", "job-1", "--url", service.url)
    assert (result.exit_code, result.stderr) == (1, "neoserve: Job job-1 canceled\n")


def test_status_waits_for_the_end(service: FakeService, job_json: MakeJob) -> None:
    service.answer(200, job_json("running"))
    service.answer(200, job_json())
    result = neoserve("status", "job-1", "--wait", "--url", service.url)
    assert result.stdout.startswith("succeeded")
    assert service.calls[0][1] == "/jobs/job-1?wait=30"


def test_status_that_waited_in_vain_is_exit_code_5(service: FakeService, job_json: MakeJob) -> None:
    service.answer(200, job_json("running"))
    result = neoserve("status", "job-1", "--wait", "0", "--url", service.url)
    assert result.exit_code == 5
    assert result.stderr == "neoserve: Job job-1 has not ended within 0 s; it goes on.\n"


def test_a_setting_that_cannot_be_used_is_one_line_that_names_it() -> None:
    result = neoserve("api", NEOSERVE_PORT="high")
    assert result.exit_code == 1
    assert result.stderr.startswith("neoserve: NEOSERVE_PORT='high' cannot be used")
    assert result.stderr.count("\n") == 1


def test_help_names_the_exit_codes() -> None:
    result = neoserve("--help")
    assert result.exit_code == 0
    assert "Exit codes: 0 done, 1 failed" in " ".join(result.stdout.split())


def test_the_version_is_the_packages() -> None:
    assert neoserve("--version").stdout.startswith("neoserve, version ")
