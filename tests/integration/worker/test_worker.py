"""One real worker: jobs, cancel, deadline, metrics, what it says."""

from __future__ import annotations

import re

import httpx

from tests.integration.worker.processes import Fleet
from tests.services import free_port
from tests.waiting import wait_until

SLOW = "scripted:0.05"


def test_the_bare_command_registers_its_model_runs_jobs_and_never_shows_a_prompt(fleet: Fleet) -> None:
    worker = fleet.start_ready("-n", "bare@%h", NEOSERVE_MAX_BATCH_SIZE="3")
    (line,) = re.findall(r"^worker ready: .*$", worker.out, re.MULTILINE)
    (id,) = fleet.client.zrange("neoserve:workers", 0, -1)
    names = f"worker={id} model=scripted-test-double-not-a-model fingerprint=scripted precision=scripted"
    assert line == f"worker ready: {names} slots=3"
    card = fleet.store.model()
    assert (card.fingerprint, card.num_live_workers, card.num_live_slots) == ("scripted", 1, 3)
    for number in range(10):
        fleet.submit(f"j{number}", text="CANARY in a prompt")
    for number in range(10):
        job = fleet.wait_status(f"j{number}", "succeeded")
        assert (job.attempt, job.rows[0].num_tokens) == (1, 20)
    ends = {f"j{number}": "succeeded" for number in range(10)}
    wait_until(lambda: worker.ended_jobs() == ends, "the last line is written")
    worker.process.terminate()
    assert worker.wait() == 0
    assert f"worker={id} shuts down: " in worker.err
    assert fleet.store.model().num_live_workers == 0
    assert "CANARY" not in worker.out + worker.err


def test_duplicate_rings_and_rings_for_other_jobs_run_nothing_twice(fleet: Fleet) -> None:
    worker = fleet.start_ready()
    for number in range(5):
        fleet.submit(f"j{number}", rings=5)
    fleet.ring.ring("never-recorded")
    for number in range(5):
        assert fleet.wait_status(f"j{number}", "succeeded").attempt == 1
    wait_until(lambda: fleet.ring.pending() == 0, "all rings are heard")
    assert len(re.findall(r"outcome=", worker.err)) == 5


def test_a_running_job_is_canceled_in_the_middle(fleet: Fleet) -> None:
    fleet.start_ready(NEOSERVE_MODEL=SLOW)
    fleet.submit("j", num_tokens=2000)
    fleet.wait_status("j", "running")
    fleet.store.cancel("j")
    job = fleet.wait_status("j", "canceled", seconds=3)
    assert len(job.rows[0].text) == job.num_tokens < 2000


def test_a_job_past_its_deadline_fails_with_the_text_so_far(fleet: Fleet) -> None:
    fleet.start_ready(NEOSERVE_MODEL=SLOW)
    fleet.submit("j", num_tokens=2000, deadline_seconds=1.0)
    job = fleet.wait_status("j", "failed", seconds=5)
    assert job.error is not None
    assert job.error.code == "deadline_exceeded"
    assert 0 < len(job.rows[0].text) < 2000


def test_a_job_too_long_for_the_model_fails_and_the_next_one_runs(fleet: Fleet) -> None:
    fleet.start_ready()
    fleet.submit("long", text="x" * 2100)
    fleet.submit("next")
    job = fleet.wait_status("long", "failed")
    assert job.error is not None
    assert job.error.code == "request_too_long"
    fleet.wait_status("next", "succeeded")


def test_two_workers_on_one_host_with_the_same_metrics_port_both_work(fleet: Fleet) -> None:
    port = str(free_port())
    first = fleet.start_ready(NEOSERVE_WORKER_METRICS_PORT=port)
    second = fleet.start_ready(NEOSERVE_WORKER_METRICS_PORT=port)
    assert len(re.findall(rf"WARNING .*:{port} cannot be used", second.err)) == 1
    first.process.terminate()
    assert first.wait() == 0
    fleet.submit("j")
    fleet.wait_status("j", "succeeded")
    wait_until(lambda: second.ended_jobs() == {"j": "succeeded"}, "the second says that it has run it")


def test_the_metrics_port_counts_what_was_done(fleet: Fleet) -> None:
    port = free_port()
    fleet.start_ready(NEOSERVE_WORKER_METRICS_PORT=str(port))
    for number in range(3):
        fleet.submit(f"j{number}", num_tokens=7)
        fleet.wait_status(f"j{number}", "succeeded")

    def shown() -> str:
        return httpx.get(f"http://127.0.0.1:{port}/metrics").text

    wait_until(lambda: 'jobs_total{code="",outcome="succeeded"} 3.0' in shown(), "three jobs are counted")
    assert fleet.store.counters().count("generated_tokens") == 21
    assert 'neoserve_worker_claims_total{result="claimed"} 3.0' in shown()


def test_a_server_that_has_lost_its_data_gets_the_model_again_and_new_jobs_run(fleet: Fleet) -> None:
    worker = fleet.start_ready()
    fleet.client.flushall()
    wait_until(lambda: fleet.store.models() and fleet.store.models()[0].num_live_workers, "it is known again")
    assert fleet.store.tokenizer(fleet.store.model().tokenizer_sha256)
    fleet.submit("j")
    fleet.wait_status("j", "succeeded")
    assert worker.err.count("registering again") == 1


def test_a_missing_model_is_one_clear_line_and_nothing_is_consumed(fleet: Fleet) -> None:
    fleet.submit("j")
    worker = fleet.start(NEOSERVE_MODEL="/nowhere/at/all")
    assert worker.wait(60) == 1
    (line,) = [line for line in worker.err.splitlines() if "/nowhere/at/all" in line]
    assert line.startswith("neoserve worker: ")
    assert "Traceback" not in worker.err
    assert (fleet.store.get("j").attempt, fleet.ring.pending()) == (0, 1)
