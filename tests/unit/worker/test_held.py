from __future__ import annotations

from tasks.jobs.protocol import StepAnswer, Verdict
from tests.unit.worker.harness import Worker
from tests.unit.worker.test_writer import finish, generate, start


def test_the_record_has_the_times_of_the_engine_however_late_it_hears_of_them(worker: Worker) -> None:
    start(worker)
    generate(worker, "j", 1)
    held = worker.held("j")
    assert held is not None
    assert held.started_at is not None
    assert held.first_token_at is not None
    later = held.first_token_at + 60
    ages = held.entry(later).ages
    assert ages.first_token_ms == 60_000
    assert ages.started_ms == round((later - held.started_at) * 1000)
    finish(worker)
    assert held.outcome(later).ages == ages


def test_where_one_row_failed_the_others_need_not_go_on(worker: Worker) -> None:
    start(worker, num_rows=3)
    held = worker.held("j")
    assert held is not None
    first, *others = held.generations
    answer = StepAnswer(verdict=Verdict.OK, stored=(0, 0, 0))
    held.heed(answer)
    assert not any(each.cancel_requested for each in others)
    first.error = ValueError()
    held.heed(answer)
    assert all(each.cancel_requested for each in others)
