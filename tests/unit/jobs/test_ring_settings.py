"""How both ends of the Celery queue talk to the broker."""

from __future__ import annotations

import ssl

import celery
import pytest

from tasks.jobs.ring import celery_settings
from tasks.jobs.settings import Settings


@pytest.mark.parametrize(
    ("url", "check"),
    [
        ("rediss://host/0", ssl.CERT_REQUIRED),
        ("rediss://host/0?ssl_cert_reqs=none", ssl.CERT_NONE),
        ("rediss://host/0?ssl_cert_reqs=required", ssl.CERT_REQUIRED),
    ],
)
def test_a_certificate_is_checked_unless_the_url_says_otherwise(url: str, check: ssl.VerifyMode) -> None:
    app = celery.Celery(set_as_current=False)
    app.conf.update(celery_settings(Settings(redis_url=url)))
    assert app.connection_for_write().ssl["ssl_cert_reqs"] == check


def test_a_plain_url_stays_plain() -> None:
    app = celery.Celery(set_as_current=False)
    app.conf.update(celery_settings(Settings(redis_url="redis://host/0")))
    assert not app.connection_for_write().ssl


def test_only_the_default_namespace_uses_the_plain_names_of_celery() -> None:
    def prefix(namespace: str) -> str:
        settings = celery_settings(Settings(namespace=namespace))
        return str(settings["broker_transport_options"]["global_keyprefix"])

    assert prefix("neoserve") == ""
    assert prefix("staging") == "staging:"


def test_no_message_but_json_is_accepted() -> None:
    settings = celery_settings(Settings())
    assert settings["accept_content"] == ["json"]
    assert settings["task_serializer"] == "json"
    assert settings["task_ignore_result"] is True


def test_no_round_trip_is_spent_on_noting_which_rings_are_acknowledged() -> None:
    app = celery.Celery(set_as_current=False)
    app.conf.update(celery_settings(Settings(redis_url="redis://host/0")))
    assert app.connection_for_read().transport_options["ack_emulation"] is False
