from __future__ import annotations

import pytest

from tasks.jobs.settings import InvalidSetting
from tasks.model.device import Device
from tasks.model.precision import Precision
from tasks.worker.settings import WorkerSettings


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = WorkerSettings.from_env({})
    assert (settings.model, settings.max_batch_size, settings.grace_seconds) == ("stories", 16, 25.0)
    assert (settings.metrics_port, settings.threads, settings.log_level) == (9101, 0, "INFO")
    assert settings.precision is Precision.AUTO
    assert settings.device is Device.AUTO


def test_what_is_set_is_read() -> None:
    settings = WorkerSettings.from_env(
        {"NEOSERVE_MAX_BATCH_SIZE": "3", "NEOSERVE_LOG_LEVEL": "debug", "NEOSERVE_WORKER_METRICS_PORT": "0"}
    )
    assert (settings.max_batch_size, settings.log_level, settings.metrics_port) == (3, "DEBUG", 0)


@pytest.mark.parametrize("precision", list(Precision))
def test_every_precision_can_be_asked_for(precision: Precision) -> None:
    assert WorkerSettings.from_env({"NEOSERVE_PRECISION": precision.value.upper()}).precision is precision


@pytest.mark.parametrize("device", list(Device))
def test_every_device_can_be_asked_for(device: Device) -> None:
    assert WorkerSettings.from_env({"NEOSERVE_DEVICE": device.value.upper()}).device is device


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEOSERVE_MAX_BATCH_SIZE", "0"),
        ("NEOSERVE_GRACE_SECONDS", "0"),
        ("NEOSERVE_GRACE_SECONDS", "nan"),
        ("NEOSERVE_WORKER_METRICS_PORT", "70000"),
        ("NEOSERVE_THREADS", "-1"),
        ("NEOSERVE_LOG_LEVEL", "chatty"),
        ("NEOSERVE_PRECISION", "float64"),
        ("NEOSERVE_DEVICE", "tpu"),
        ("NEOSERVE_KV_TOKENS", "-1"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=name):
        WorkerSettings.from_env({name: value})
