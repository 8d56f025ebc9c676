"""What the submitter of a request sees."""

from __future__ import annotations

import pytest

from tasks.engine.generation import Generation
from tasks.engine.types import FinishReason
from tests.fakes import make_request


def make_generation() -> Generation:
    return Generation(make_request(), submitted_at=1.0)


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
