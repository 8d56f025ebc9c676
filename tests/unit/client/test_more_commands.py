"""The commands about jobs, batches and the fleet, against a small server on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from client.commands import health as health_command
from tests.unit.client.conftest import FakeService
from tests.unit.client.test_commands import MakeJob, neoserve, no_pauses

__all__ = ["no_pauses"]


def batch_json(status: str, **counts: int) -> dict[str, Any]:
    return {"id": "batch_1", "status": status, "counts": {"total": 2, **counts}}


def results(*statuses: str) -> bytes:
    lines = [{"index": index, "status": status} for index, status in enumerate(statuses)]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"text":"One"}\n{"text":"Two"}\n')
    return file


HEALTH: dict[str, Any] = {
    "status": "ok",
    "reasons": [],
    "jobs": {"queued": 3, "running": 8},
    "queue": {"depth": 3, "limit": 100, "oldest_age_s": 4.9},
    "models": [
        {
            "model": "stories",
            "workers": 1,
            "slots": 16,
            "jobs": 8,
            "queued": {"high": 0, "normal": 2, "low": 1},
            "tokens_per_s": 6468.4,
            "estimated_wait_s": {"high": 0.0, "normal": 13.6, "low": None},
        }
    ],
    "workers": [{"id": "d29d", "model": "stories", "slots": 16, "jobs": 8, "running": 8}],
}

TABLE = """\
ok
queue: 3 of 100 wait, the oldest for 5 s
jobs: 3 queued, 8 running

model    workers  slots  jobs  queued  tokens/s    wait
stories        1     16     8       3    6468.4  13.6 s

worker    model  slots  jobs  running
d29d    stories     16     8        8
"""


def test_jobs_are_listed_a_line_each(service: FakeService, job_json: MakeJob) -> None:
    failed = job_json("failed", error={"code": "worker_lost"}, created_at="2026-11-23T03:36:18.610Z")
    service.answer(200, {"jobs": [failed, job_json()], "next": "/jobs?cursor=OA"})
    service.answer(200, {"jobs": [job_json()], "next": None})
    result = neoserve("jobs", "--status", "failed", "--status", "succeeded", "--url", service.url)
    lines = result.stdout.splitlines()
    assert lines[0] == "job-1  failed     stories       2026-11-23 03:36:18  [worker_lost]"
    assert len(lines) == 3
    assert service.calls[0][1] == "/jobs?status=failed%2Csucceeded&limit=20"


def test_no_more_jobs_are_asked_for_than_are_shown(service: FakeService, job_json: MakeJob) -> None:
    service.answer(200, {"jobs": [job_json()] * 2, "next": "/jobs?cursor=OA"})
    result = neoserve("jobs", "--limit", "2", "--json", "--url", service.url)
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["job-1", "job-1"]
    assert len(service.calls) == 1


@pytest.mark.parametrize(
    ("id", "answer", "path", "words"),
    [
        ("job-1", {"id": "job-1", "status": "canceled"}, "/jobs/job-1", "canceled\n"),
        ("job-1", {"id": "job-1", "status": "running"}, "/jobs/job-1", "running, about to stop\n"),
        ("batch_1", batch_json("canceling"), "/batches/batch_1", "canceling, about to stop\n"),
    ],
)
def test_cancel_says_what_came_of_it(
    id: str, answer: dict[str, Any], path: str, words: str, service: FakeService
) -> None:
    service.answer(200, answer)
    assert neoserve("cancel", id, "--url", service.url).stdout == words
    assert service.calls == [("DELETE", path, None)]


@pytest.mark.parametrize(
    ("command", "path"), [("status", "/batches/batch_1"), ("wait", "/batches/batch_1?wait=")]
)
def test_status_and_wait_know_batches(command: str, path: str, service: FakeService) -> None:
    service.answer(200, batch_json("completed", succeeded=2))
    result = neoserve(command, "batch_1", "--url", service.url)
    assert (result.exit_code, result.stdout) == (0, "completed, 2 of 2 have ended: 2 succeeded\n")
    assert service.calls[0][1].startswith(path)


def test_a_batch_that_lacks_results_fails_only_once_it_has_ended(service: FakeService) -> None:
    service.answer(200, batch_json("running", succeeded=1, queued=1))
    service.answer(200, batch_json("canceled", succeeded=1, canceled=1))
    running = neoserve("status", "batch_1", "--url", service.url)
    assert (running.exit_code, running.stdout) == (0, "running, 1 of 2 have ended: 1 queued, 1 succeeded\n")
    canceled = neoserve("status", "batch_1", "--json", "--url", service.url)
    assert (canceled.exit_code, json.loads(canceled.stdout)["status"]) == (1, "canceled")
    assert canceled.stderr == "neoserve: 1 of 2 have no result: /batches/batch_1/results says why.\n"


def test_a_batch_cannot_be_retried(service: FakeService) -> None:
    result = neoserve("retry", "batch_1", "--url", service.url)
    assert result.exit_code == 2
    assert "neoserve batch" in result.stderr
    assert service.calls == []


def test_retry_prints_the_new_id_alone(service: FakeService, job_json: MakeJob) -> None:
    service.answer(202, job_json("queued", id="job-2"))
    result = neoserve("retry", "job-1", "--url", service.url)
    assert result.stdout == "job-2\n"
    assert "neoserve wait job-2" in result.stderr
    assert service.calls[0][:2] == ("POST", "/jobs/job-1/retry")


def test_health_is_a_table(service: FakeService) -> None:
    service.answer(200, HEALTH)
    result = neoserve("health", "--url", service.url)
    assert (result.exit_code, result.stdout) == (0, TABLE)


def test_health_of_a_fleet_with_a_problem_is_exit_code_1(service: FakeService) -> None:
    service.answer(200, {**HEALTH, "status": "degraded", "reasons": ["no_worker"], "workers": []})
    result = neoserve("health", "--url", service.url)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (1, "degraded: no_worker")


def test_health_that_is_watched_is_shown_until_ctrl_c(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([None, KeyboardInterrupt()])

    def sleep(_seconds: float) -> None:
        if interrupt := next(looks):
            raise interrupt

    monkeypatch.setattr(health_command.time, "sleep", sleep)  # type: ignore[attr-defined]
    for _ in range(2):
        service.answer(200, HEALTH)
    result = neoserve("health", "--watch", "--url", service.url)
    assert (result.exit_code, result.stdout) == (130, TABLE * 2)


def test_a_batch_goes_from_a_file_to_a_file(service: FakeService, prompts: Path) -> None:
    output = prompts.with_name("out.jsonl")
    service.answer(202, batch_json("running"))
    service.answer(200, batch_json("completed", succeeded=2))
    service.answer(200, batch_json("completed", succeeded=2))
    service.answer(200, results("succeeded", "succeeded"))
    result = neoserve("batch", str(prompts), "-o", str(output), "--json", "--url", service.url)
    assert result.exit_code == 0
    assert [json.loads(line)["index"] for line in output.read_text().splitlines()] == [0, 1]
    assert json.loads(result.stdout)["counts"]["succeeded"] == 2
    assert result.stderr.splitlines()[0].startswith("batch_1 goes on after Ctrl-C")
    assert result.stderr.splitlines()[1:] == [f"2 results in {output}"]
    assert sorted(each.name for each in output.parent.iterdir()) == ["out.jsonl", "prompts.jsonl"]


def test_a_batch_with_items_without_a_result_is_exit_code_1(service: FakeService, prompts: Path) -> None:
    output = prompts.with_name("out.jsonl")
    service.answer(200, batch_json("completed", succeeded=1, failed=1))
    service.answer(200, batch_json("completed", succeeded=1, failed=1))
    service.answer(200, batch_json("completed", succeeded=1, failed=1))
    service.answer(200, results("succeeded", "failed"))
    result = neoserve("batch", str(prompts), "-o", str(output), "--url", service.url)
    assert result.exit_code == 1
    assert "\nneoserve: 1 of 2 have no result: " in result.stderr
    assert len(output.read_text().splitlines()) == 2


def test_a_batch_that_is_refused_leaves_nothing(service: FakeService, prompts: Path) -> None:
    service.answer(422, {"code": "invalid_parameter", "detail": "requests.0.text: is missing"})
    output = prompts.with_name("out.jsonl")
    result = neoserve("batch", str(prompts), "-o", str(output), "--url", service.url)
    assert result.exit_code == 4
    assert [each.name for each in output.parent.iterdir()] == ["prompts.jsonl"]


def test_prompts_that_cannot_be_read_are_one_line() -> None:
    result = neoserve("batch", "nowhere.jsonl", "-o", "out.jsonl")
    assert (result.exit_code, result.stderr) == (
        2,
        "neoserve: nowhere.jsonl cannot be read: No such file or directory.\n",
    )
