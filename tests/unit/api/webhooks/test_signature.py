"""What is sent can be checked by others' code, and by the lines that docs/api.md shows."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from api.webhooks.signature import signed_headers
from tests.services import require_service

OLD, NEW = b"o" * 32, b"n" * 32
BODY = '{"type":"job.completed","data":{"text":"Grüße 🦉"}}\n'.encode()

Verify = Callable[[str, dict[str, str], bytes], object]


def text_of(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


def headers(*secrets: bytes, age: int = 0) -> dict[str, str]:
    return signed_headers(secrets, "job_1_completed", int(time.time()) - age, BODY)


def library() -> Verify:
    require_service(find_spec("standardwebhooks") is not None, "the package standardwebhooks")
    from standardwebhooks import Webhook

    return lambda secret, headers, body: Webhook(secret).verify(body, headers)


def documented() -> Verify:
    page = (Path(__file__).resolve().parents[4] / "docs/api.md").read_text(encoding="utf-8")
    [code] = [each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "webhook-id" in each]
    names: dict[str, Verify] = {}
    exec(code, names)
    return names["verify"]


def test_a_signature_is_that_of_the_specification() -> None:
    """Its example: the secret, the message and the signature are all in it."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signed_headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("way", [library, documented])
def test_a_receiver_can_check_it(way: Callable[[], Verify]) -> None:
    verify = way()
    verify(text_of(NEW), headers(NEW), BODY)
    for signed in (headers(NEW, OLD), headers(OLD, NEW)):  # While the secret is replaced.
        verify(text_of(OLD), signed, BODY)
        verify(text_of(NEW), signed, BODY)


@pytest.mark.parametrize("way", [library, documented])
def test_a_receiver_refuses_what_is_not_ours(way: Callable[[], Verify]) -> None:
    verify = way()
    for signed, body in (
        (headers(OLD), BODY),
        (headers(NEW), BODY + b" "),
        (headers(NEW, age=3600), BODY),
        (headers(NEW) | {"webhook-id": "job_2_completed"}, BODY),
        (headers(NEW) | {"webhook-signature": "v2,AAAA v1,AAAA"}, BODY),
    ):
        with pytest.raises(Exception, match=r"(?i)signature|timestamp"):
            verify(text_of(NEW), signed, body)
