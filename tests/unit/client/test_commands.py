"""The commands as a user types them, against a small server on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from client.main import main
from client.ports import free_port
from neoserve import Job, NeoServe
from neoserve.wire import Wire
from tests.unit.client.conftest import FakeService

MakeJob = Callable[..., dict[str, Any]]


def neoserve(*arguments: str, input: str | None = None, **environ: str) -> Result:
    return CliRunner().invoke(main, arguments, input=input, env=environ)


def event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def interrupted(*_: object, **__: object) -> Job:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two questions no time passes; tests/unit/neoserve says how long it should be."""
    monkeypatch.setattr(Wire.__init__, "__defaults__", (lambda _: None,))
    monkeypatch.setattr("client.service.PATIENCE_SECONDS", 0.0)


@pytest.fixture
def one_job(service: FakeService, job_json: MakeJob) -> None:
    """The service takes a job, and it succeeds."""
    service.answer(202, job_json("queued"))
    service.answer(200, job_json())


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input, output and error are one."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)


def test_predict_prints_the_text_and_nothing_else(service: FakeService, one_job: None) -> None:
    result = neoserve("predict", "Hello, world!", "--url", service.url)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Hello, world! Again.\n", "")
    assert service.calls == [
        ("POST", "/jobs", {"text": "Hello, world!"}),
        ("GET", "/jobs/job-1?wait=30", None),
    ]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "warm"])
def test_a_temperature_that_is_no_number_is_wrong_usage(service: FakeService, number: str) -> None:
    result = neoserve("predict", "Hi", "--temperature", number, "--url", service.url)
    assert result.exit_code == 2
    assert number in result.stderr
    assert "Traceback" not in result.output
    assert service.calls == []


def test_predict_sends_only_what_was_asked_for(service: FakeService, one_job: None) -> None:
    options = [
        "--max-length",
        "50",
        "--max-new-tokens",
        "9",
        "--temperature",
        "0.5",
        "--top-k",
        "5",
        "--top-p",
        "0.9",
        "--repetition-penalty",
        "1.1",
        "--stop",
        "END",
        "--stop",
        "##",
        "--seed",
        "7",
        "--model",
        "stories",
        "--priority",
        "low",
        "--deadline",
        "60",
        "--greedy",
    ]
    neoserve("predict", "Hi", *options, "--url", service.url)
    assert service.calls[0][2] == {
        "text": "Hi",
        "max_length": 50,
        "max_new_tokens": 9,
        "temperature": 0.5,
        "top_k": 5,
        "top_p": 0.9,
        "repetition_penalty": 1.1,
        "stop": ["END", "##"],
        "seed": 7,
        "model": "stories",
        "priority": "low",
        "deadline_s": 60.0,
        "do_sample": False,
    }


def test_predict_reads_a_dash_from_standard_input(service: FakeService, one_job: None) -> None:
    neoserve("predict", "-", "--url", service.url, input="Two\nlines\n")
    assert service.calls[0][2] == {"text": "Two\nlines"}


def test_predict_without_a_text_reads_what_is_piped_in(service: FakeService, one_job: None) -> None:
    neoserve("predict", "--url", service.url, input="Hi\n")
    assert service.calls[0][2] == {"text": "Hi"}


@pytest.mark.parametrize("command", ["predict", "submit"])
@pytest.mark.parametrize(
    ("arguments", "input"), [(["caf\udce9"], b""), (["-"], b"caf\xe9"), ([], b"caf\xe9")]
)
def test_a_text_that_is_not_utf8_is_one_line_and_exit_code_2(
    command: str, arguments: list[str], input: bytes
) -> None:
    result = CliRunner().invoke(main, [command, *arguments], input=input)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "neoserve: TEXT is not valid UTF-8.\n"


def test_a_text_without_its_quotes_is_one_line_with_the_remedy() -> None:
    result = neoserve("predict", "Once", "upon", "a", "time")
    assert result.exit_code == 2
    assert result.stderr == "neoserve: There is more than one TEXT. Put TEXT in quotes.\n"


def test_no_text_at_a_terminal_is_one_line_with_the_remedy(at_a_terminal: None) -> None:
    result = neoserve("predict")
    assert result.exit_code == 2
    assert result.stderr == "neoserve: There is no TEXT. Put it in quotes; `-` reads standard input.\n"


def test_json_is_indented_at_a_terminal(service: FakeService, job_json: MakeJob, at_a_terminal: None) -> None:
    service.answer(200, job_json())
    result = neoserve("status", "job-1", "--json", "--url", service.url)
    assert result.stdout == json.dumps(job_json(), indent=2) + "\n"


def test_predict_as_json_is_the_whole_job(service: FakeService, one_job: None, job_json: MakeJob) -> None:
    result = neoserve("predict", "Hi", "--json", "--url", service.url)
    assert json.loads(result.stdout) == job_json()
    assert result.stdout.count("\n") == 1


def test_the_address_comes_from_the_environment_too(service: FakeService, one_job: None) -> None:
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
    assert result.stderr == "neoserve: temperature: must be above 0 [invalid_parameter]\n"


def test_a_job_that_failed_is_one_line_and_exit_code_1(service: FakeService, job_json: MakeJob) -> None:
    service.answer(202, job_json("queued"))
    service.answer(200, job_json("failed", error={"code": "model_error", "detail": "It broke."}))
    result = neoserve("predict", "Hi", "--url", service.url)
    assert result.exit_code == 1
    assert result.stderr == "neoserve: Job job-1 ended without a result: It broke. [model_error]\n"


def test_ctrl_c_ends_a_command_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NeoServe, "submit", interrupted)
    result = neoserve("predict", "Hi")
    assert (result.exit_code, result.output) == (130, "")


def test_ctrl_c_while_a_job_is_awaited_says_how_to_find_it_again(
    service: FakeService, job_json: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answer(202, job_json("queued"))
    monkeypatch.setattr(NeoServe, "wait", interrupted)
    result = neoserve("predict", "Hi", "--url", service.url)
    assert (result.exit_code, result.stdout) == (130, "")
    hint = f"job-1 goes on. Follow it with: neoserve wait job-1 --url {service.url}"
    assert result.stderr == f"\n{hint}\n"


def test_predict_at_a_terminal_shows_the_text_as_it_is_written(
    service: FakeService, job_json: MakeJob, at_a_terminal: None
) -> None:
    job = {"job_id": "job-1"}
    told = [
        event("queued", {**job, "position": 4, "eta_s": 7.8}),
        event("started", {**job, "attempt": 1}),
        event("token", {"text": "!\x1b[2J\u202e", "index": 0}),
        event("done", {"job": job_json()}),
    ]
    service.answer(200, b"".join(told), **{"Content-Type": "text/event-stream"})
    result = neoserve("predict", "Hi", "--url", service.url)
    assert result.stdout == "Hi!\ufffd[2J\ufffd\n"
    assert result.stderr.splitlines() == [
        "job job-1 is number 4 in line, starts in about 8 s; Ctrl-C leaves it running",
        "3 tokens in 0.25 s, job job-1",
    ]


def test_a_text_that_begins_anew_says_so(
    service: FakeService, job_json: MakeJob, at_a_terminal: None
) -> None:
    told = [event("started", {"job_id": "job-1", "attempt": attempt}) for attempt in (1, 2)]
    told.append(event("done", {"job": job_json()}))
    service.answer(200, b"".join(told), **{"Content-Type": "text/event-stream"})
    result = neoserve("predict", "Hi", "--url", service.url)
    assert result.stdout == "HiHi\n"
    assert "Its worker was lost; the text begins anew." in result.stderr


def test_predict_says_once_that_it_waits_for_the_service(service: FakeService, job_json: MakeJob) -> None:
    service.answer(202, job_json("queued"))
    for _ in range(2):
        service.answer(503, {"code": "draining", "detail": "Closing."}, **{"Retry-After": "2"})
    service.answer(200, job_json())
    result = neoserve("predict", "Hi", "--url", service.url)
    assert result.stdout == "Hello, world! Again.\n"
    assert result.stderr == "The service cannot answer now. Waiting until it can.\n"


def test_submit_prints_the_id_alone_and_says_how_to_follow(service: FakeService, job_json: MakeJob) -> None:
    service.answer(202, job_json("queued"))
    result = neoserve("submit", "Hi", "--url", service.url)
    assert result.stdout == "job-1\n"
    assert result.stderr == f"Follow it with: neoserve wait job-1 --url {service.url}\n"
    assert service.calls == [("POST", "/jobs", {"text": "Hi"})]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"status": "queued", "queue": {"position": 3}}, "queued, number 3 in line\n"),
        (
            {"status": "queued", "queue": {"position": 3, "eta_s": 7.8}},
            "queued, number 3 in line, starts in about 8 s\n",
        ),
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
    assert (result.exit_code, result.stderr) == (
        1,
        "neoserve: Job job-1 ended without a result: It is canceled. [canceled]\n",
    )


def test_status_of_nothing_is_wrong_usage() -> None:
    result = neoserve("status")
    assert result.exit_code == 2
    assert "Missing argument 'ID'" in result.stderr


def test_wait_prints_the_text_alone(service: FakeService, job_json: MakeJob) -> None:
    service.answer(200, job_json("running"))
    service.answer(200, job_json())
    result = neoserve("wait", "job-1", "--url", service.url)
    assert (result.stdout, result.stderr) == ("Hello, world! Again.\n", "")
    assert service.calls[0][1] == "/jobs/job-1?wait=30"


def test_who_waited_in_vain_gets_exit_code_5(service: FakeService, job_json: MakeJob) -> None:
    service.answer(200, job_json("running"))
    result = neoserve("wait", "job-1", "--timeout", "0", "--url", service.url)
    assert result.exit_code == 5
    assert result.stderr == "neoserve: Job job-1 has not ended in the time given; it goes on.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["wait", "job-1", "--timeout=soon"], "'soon' is not a valid number of seconds."),
        (["up", "--port", "abc"], "'abc' is not a valid port number."),
        (["api", "--port", "abc"], "'abc' is not a valid port number."),
    ],
)
def test_what_should_be_a_number_is_named(arguments: list[str], words: str) -> None:
    result = neoserve(*arguments)
    assert result.exit_code == 2
    assert result.stderr.endswith(f"{words}\n")


def test_a_setting_that_cannot_be_used_is_one_line_that_names_it() -> None:
    result = neoserve("api", NEOSERVE_PORT="high")
    assert result.exit_code == 1
    assert result.stderr.startswith("neoserve: NEOSERVE_PORT='high' cannot be used")
    assert result.stderr.count("\n") == 1


def test_help_names_the_exit_codes() -> None:
    result = neoserve("--help")
    assert result.exit_code == 0
    assert "Exit codes: 0 done, 1 failed" in " ".join(result.stdout.split())
    assert "..." not in result.stdout.partition("Commands:")[2]
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_version_is_the_packages() -> None:
    assert neoserve("--version").stdout.startswith("neoserve, version ")


def test_what_a_service_says_cannot_steer_the_terminal(service: FakeService, at_a_terminal: None) -> None:
    detail = "bad \x1b]0;title\x07 \x9b31m field"
    service.answer(422, {"status": 422, "code": "invalid_parameter", "detail": detail})
    result = neoserve("status", "job-1", "--url", service.url)
    assert result.exit_code == 4
    assert "bad \ufffd]0;title\ufffd \ufffd31m field [invalid_parameter]" in result.stderr


@pytest.mark.parametrize("command", ["status", "jobs", "health"])
def test_json_of_another_program_is_one_plain_line(service: FakeService, command: str) -> None:
    service.answer(200, {"hello": "world"})
    arguments = [command, "job-1"] if command == "status" else [command]
    result = neoserve(*arguments, "--url", service.url)
    assert result.exit_code == 4
    assert result.stderr.count("\n") == 1
    assert "not as NeoServe does. Name the right address" in result.stderr


def test_an_output_that_cannot_be_written_is_one_plain_line(service: FakeService, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"text": "Hello"}\n')
    output = tmp_path / "nowhere" / "results.jsonl"
    result = neoserve("batch", str(prompts), "-o", str(output), "--url", service.url)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"neoserve: {output}.batch")
    assert "No such file or directory" in result.stderr
    assert not service.calls


@pytest.mark.parametrize(
    ("field", "remedy"),
    [("temperature", "give --greedy"), ("requests.0.temperature", "set do_sample to false")],
)
def test_the_remedy_is_one_that_can_be_typed(field: str, remedy: str, service: FakeService) -> None:
    told = "for the likeliest token each time set do_sample to false"
    problem = {
        "code": "invalid_parameter",
        "detail": f"{field}: {told}",
        "errors": [{"field": field, "message": told}],
    }
    service.answer(422, problem)
    result = neoserve("submit", "Hello", "--temperature", "0", "--url", service.url)
    assert result.exit_code == 4
    assert f"each time {remedy} [invalid_parameter]" in result.stderr
