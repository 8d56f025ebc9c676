"""The commands against the real stack, as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from neoserve import NeoServe
from tests.e2e.deployment import Deployment
from tests.e2e.terminal import NEOSERVE, Terminal, bare_environ, neoserve

NUM_PROMPTS = 40


@pytest.fixture
def service_url(deployment: Deployment) -> str:
    return deployment.apis[0].url


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """Some ten seconds of work, since a batch takes turns."""
    file = tmp_path / "prompts.jsonl"
    items = [{"text": f"Tale {number}", "max_new_tokens": 300} for number in range(NUM_PROMPTS)]
    file.write_text("".join(json.dumps(item) + "\n" for item in items))
    return file


def run(url: str, *arguments: object, code: int = 0) -> str:
    """What it prints."""
    done = neoserve(*arguments, NEOSERVE_URL=url)
    assert done.returncode == code, done.stderr
    return done.stdout


def test_the_whole_life_of_a_job(service_url: str) -> None:
    job_id = run(service_url, "submit", "One day", "--max-new-tokens", 1000).strip()
    assert run(service_url, "wait", job_id, "--timeout", 0, code=5) == ""
    assert run(service_url, "status", job_id).startswith(("queued", "running"))
    run(service_url, "retry", job_id, code=4)
    assert run(service_url, "cancel", job_id) in ("canceled\n", "running, about to stop\n")
    assert json.loads(run(service_url, "wait", job_id, "--json", code=1))["status"] == "canceled"
    again = run(service_url, "retry", job_id).strip()
    listed = run(service_url, "jobs").splitlines()
    assert [line.split()[0] for line in listed[:2]] == [again, job_id]
    run(service_url, "cancel", again)
    assert run(service_url, "predict", "One day", "--max-new-tokens", 3).startswith("One day")


def test_health_shows_both_workers(service_url: str) -> None:
    assert run(service_url, "health").startswith("ok\n")
    assert len(json.loads(run(service_url, "health", "--json"))["workers"]) == 2


def test_a_batch_survives_ctrl_c_and_is_run_once(service_url: str, prompts: Path) -> None:
    output = prompts.with_name("out.jsonl")
    command = ("batch", prompts, "-o", output)
    terminal = Terminal(prompts.parent, *command, NEOSERVE_URL=service_url)
    with NeoServe(service_url) as service:
        terminal.wait_for("^batch_[0-9a-f]+ goes on after Ctrl-C")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.wait(30) == 130
        (batch,) = service.batches()
        assert not batch.ended
        assert not output.exists()

        run(service_url, *command)
        lines = [json.loads(line) for line in output.read_text().splitlines()]
        assert [line["index"] for line in lines] == list(range(NUM_PROMPTS))
        assert {line["status"] for line in lines} == {"succeeded"}
        run(service_url, *command, code=2)
        assert [each.id for each in service.batches()] == [batch.id]
    assert list(prompts.parent.glob("out.jsonl*")) == [output]


def test_the_shell_completes_commands_and_options() -> None:
    environ = {"_NEOSERVE_COMPLETE": "bash_complete", "COMP_CWORD": "1", "COMP_WORDS": "neoserve ba"}
    done = subprocess.run(
        [NEOSERVE], env=bare_environ(**environ), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "plain,batch\n"


def test_a_terminal_is_shown_the_text_as_it_is_written(service_url: str) -> None:
    main, end = os.openpty()
    command = [NEOSERVE, "predict", "One day", "--max-new-tokens", "30"]
    with subprocess.Popen(
        command, stdin=end, stdout=end, stderr=end, env=bare_environ(NEOSERVE_URL=service_url)
    ) as process:
        os.close(end)
        pieces: list[bytes] = []
        try:
            while piece := os.read(main, 1024):
                pieces.append(piece)
        except OSError:  # Linux says so when the other side has gone.
            pass
        os.close(main)
        assert process.wait(30) == 0
    assert len(pieces) > 5
    shown = b"".join(pieces)
    assert b"One day" in shown
    assert b"30 tokens in" in shown
