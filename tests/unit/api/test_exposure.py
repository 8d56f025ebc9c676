"""Nobody serves the whole network without a key by mistake."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from api import gunicorn_conf
from api.exposure import is_loopback, refuse_exposed, refuse_limits_without_keys
from api.key_entry import new_key
from api.rate import Rate
from api.settings import ApiSettings
from tasks.jobs.settings import InvalidSetting

_, ENTRY = new_key("a")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machines_own_programs_need_no_key(host: str) -> None:
    assert is_loopback(host)
    refuse_exposed(ApiSettings(), host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "2001:db8::1", "no-such-host.invalid"])
def test_on_any_other_address_there_must_be_keys_or_somebody_who_says_that_it_is_meant(host: str) -> None:
    with pytest.raises(InvalidSetting, match="neoserve keys add NAME --file FILE"):
        refuse_exposed(ApiSettings(), "127.0.0.1", host)
    refuse_exposed(ApiSettings(insecure=True), host)
    refuse_exposed(ApiSettings(api_keys=(ENTRY,)), host)
    refuse_exposed(ApiSettings(api_keys_file="keys"), host)


@pytest.mark.parametrize("limited", [ApiSettings(rate_limit=Rate(1, 1)), ApiSettings(max_jobs_per_key=1)])
def test_a_limit_of_each_key_without_keys_is_a_mistake(limited: ApiSettings) -> None:
    with pytest.raises(InvalidSetting, match="limits each key, and there are none"):
        refuse_limits_without_keys(limited)
    refuse_limits_without_keys(ApiSettings(api_keys=(ENTRY,), rate_limit=Rate(1, 1), max_jobs_per_key=1))


@pytest.mark.parametrize("address", [("0.0.0.0", 8080), ("192.0.2.1", 8080)])
def test_gunicorn_does_not_start_on_what_its_command_line_says_either(
    monkeypatch: pytest.MonkeyPatch, address: tuple[str, int]
) -> None:
    monkeypatch.setattr(gunicorn_conf, "settings", ApiSettings())
    server = SimpleNamespace(cfg=SimpleNamespace(address=["/run/api.sock", address]))
    with pytest.raises(SystemExit, match="others can reach the API"):
        gunicorn_conf.on_starting(server)
