from __future__ import annotations

import os

import pytest

from tasks.model.errors import ModelError
from tasks.worker.lifecycle import _exiting_on_failure, _required_pool
from tasks.worker.served_model import load_model, use_threads
from tasks.worker.settings import WorkerSettings
from tasks.worker.wakeup import WakingThreadPool


def test_the_threads_pool_asked_for_by_name_wakes_the_consumer_too() -> None:
    assert _required_pool("threads") is WakingThreadPool


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_any_other_pool_is_refused(pool: str) -> None:
    with pytest.raises(SystemExit, match="threads"):
        _required_pool(pool)


def test_a_model_that_cannot_be_loaded_ends_the_process_with_its_message() -> None:
    with pytest.raises(SystemExit, match="neoserve worker: no such model"), _exiting_on_failure():
        raise ModelError("no such model")


def test_whatever_else_fails_at_the_start_ends_the_process_too(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as exit_, _exiting_on_failure():
        raise ZeroDivisionError
    assert exit_.value.code == 1
    assert "ZeroDivisionError" in caplog.text


def test_the_test_double_says_what_it_is_and_checks_its_name() -> None:
    model = load_model(WorkerSettings(model="scripted:0.25"))
    assert "not-a-model" in model.model_id
    assert model.encode("aé") == model.encode("a") + model.encode("é")
    assert len(model.encode("é")) == 2
    with pytest.raises(ModelError, match="scripted:fast"):
        load_model(WorkerSettings(model="scripted:fast"))


def test_threads_are_set_before_the_tensor_library_counts_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, "to be restored")
    assert use_threads(3) == 3
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert use_threads(0) >= 1
