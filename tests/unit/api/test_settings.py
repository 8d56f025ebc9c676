from __future__ import annotations

from dataclasses import fields

import pytest

from api.settings import ApiSettings
from tasks.jobs.settings import InvalidSetting


def test_nothing_needs_to_be_set() -> None:
    assert ApiSettings.from_env({}) == ApiSettings()


def test_every_setting_has_a_name_and_a_help() -> None:
    for each in fields(ApiSettings):
        assert each.metadata["name"] == "REDIS_URL" or each.metadata["name"].startswith("NEOSERVE_")
        assert each.metadata["help"].endswith(".")


def test_the_environment_is_read() -> None:
    settings = ApiSettings.from_env(
        {"NEOSERVE_PORT": "0", "NEOSERVE_SYNC_WAIT_SECONDS": "2.5", "NEOSERVE_LOG_LEVEL": "debug"}
    )

    assert (settings.port, settings.sync_wait_seconds, settings.log_level) == (0, 2.5, "DEBUG")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NEOSERVE_PORT", "http"),
        ("NEOSERVE_PORT", "65536"),
        ("NEOSERVE_METRICS_PORT", "-1"),
        ("NEOSERVE_SYNC_WAIT_SECONDS", "61"),
        ("NEOSERVE_SYNC_WAIT_SECONDS", "nan"),
        ("NEOSERVE_MAX_WAITERS", "0"),
        ("NEOSERVE_MAX_QUEUED", "-5"),
        ("NEOSERVE_QUEUE_FULL_STATUS", "500"),
        ("NEOSERVE_MAX_BODY_BYTES", "1.5"),
        ("NEOSERVE_LOG_LEVEL", "LOUD"),
    ],
)
def test_an_unusable_setting_is_named(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=f"{name}='{text}'"):
        ApiSettings.from_env({name: text})
