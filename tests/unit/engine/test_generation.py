"""What the submitter of a request sees."""

from __future__ import annotations

import logging

import pytest

from tasks.engine.generation import Generation
from tasks.engine.types import FinishReason
from tests.fakes import make_request


def make_generation() -> Generation:
    return Generation(make_request(), submitted_at=1.0)


def test_a_callback_comes_once_when_the_generation_ends() -> None:
    generation, seen = make_generation(), []
    generation.add_done_callback(seen.append)
    assert seen == []
    generation.finish(FinishReason.EOS, "the end", 2.0)
    assert seen == [generation]


def test_a_callback_that_comes_late_is_called_at_once() -> None:
    generation, seen = make_generation(), []
    generation.fail(ValueError(), 2.0)
    generation.add_done_callback(seen.append)
    assert seen == [generation]


def test_a_callback_that_fails_keeps_no_other_from_its_call(caplog: pytest.LogCaptureFixture) -> None:
    generation, seen = make_generation(), []
    generation.add_done_callback(lambda _: 1 / 0)  # type: ignore[arg-type,return-value]
    generation.add_done_callback(seen.append)
    with caplog.at_level(logging.ERROR):
        generation.finish(FinishReason.EOS, "", 2.0)
    assert seen == [generation]
    assert "callback of request r failed" in caplog.text


def test_a_generation_ends_only_once() -> None:
    generation = make_generation()
    generation.fail(ValueError(), 2.0)
    with pytest.raises(RuntimeError, match="only once"):
        generation.finish(FinishReason.EOS, "", 3.0)
    assert generation.finished_at == 2.0


def test_a_generation_that_is_not_done_is_waited_for_in_vain() -> None:
    generation = make_generation()
    assert not generation.wait(0)
    generation.finish(FinishReason.EOS, "", 2.0)
    assert generation.wait(0)
