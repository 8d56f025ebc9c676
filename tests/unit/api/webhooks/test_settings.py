from __future__ import annotations

import base64

import pytest

from api.settings import ApiSettings
from tasks.jobs.settings import InvalidSetting

OLD, NEW = b"o" * 24, b"n" * 64


def secret(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


@pytest.mark.parametrize("between", [" ", ",", ", ", "\n"])
def test_several_secrets_may_be_set(between: str) -> None:
    settings = ApiSettings.from_env({"NEOSERVE_WEBHOOK_SECRET": secret(NEW) + between + secret(OLD)})
    assert settings.webhook_secrets == (NEW, OLD)


@pytest.mark.parametrize(
    "text",
    ["hunter2", "whsec_hunter2!", secret(b"short"), secret(b"x" * 65), secret(OLD).removeprefix("whsec_")],
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidSetting, match="whsec_ and 24 to 64 random bytes") as refusal:
        ApiSettings.from_env({"NEOSERVE_WEBHOOK_SECRET": f"{secret(NEW)} {text}"})
    assert text not in str(refusal.value)
    assert secret(NEW) not in str(refusal.value)


@pytest.mark.parametrize("text", ["10.0.0.0/33", "http://hooks", "10.0.0.1/8", "a..b", "*.internal"])
def test_what_is_neither_network_nor_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="networks"):
        ApiSettings.from_env({"NEOSERVE_WEBHOOK_ALLOW": f"hooks.internal {text}"})
