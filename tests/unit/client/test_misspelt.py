from __future__ import annotations

import pytest

from client.misspelt import misspelt
from client.setting_table import collect


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NEOSERVE_MAX_QUEUE", "NEOSERVE_MAX_QUEUED is"),
        ("NEOSERVE_PRECISON", "NEOSERVE_PRECISION is"),
        ("NEOSERVE_REDIS_URL", "ignored, REDIS_URL is"),
        ("NEOSERVE_TEAM", "`neoserve settings` lists them"),
    ],
)
def test_a_name_that_is_no_setting_is_named_with_what_was_meant(name: str, meant: str) -> None:
    (line,) = misspelt({name: "1", "PATH": "/bin"})
    assert line.startswith(f"{name} is no setting and is ignored")
    assert line.endswith(meant)


def test_settings_are_left_alone() -> None:
    assert list(misspelt({row.name: "1" for row in collect()})) == []
