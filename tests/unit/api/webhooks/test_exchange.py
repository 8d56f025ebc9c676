"""One POST: to the address that was checked and to no other, for a bounded time, whatever answers."""

from __future__ import annotations

import itertools
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.webhooks.exchange import MAX_ANSWER_BYTES, Answer, post
from api.webhooks.failure import DeliveryFailed
from api.webhooks.receivers import Receivers
from api.webhooks.settings import parse_receivers
from tests.hook_receiver import OK, HookReceiver, answer

LOOPBACK = parse_receivers("127.0.0.0/8")
INTERNET = Receivers()
PUBLIC = "93.184.215.14"
NAME = "hooks.example.com"
TLS = ssl.create_default_context()


def tell(url: str, receivers: Receivers = LOOPBACK, *, seconds: float = 5.0) -> Answer:
    return post(urlsplit(url), b'{"a":1}', {"X-Test": "1"}, receivers, TLS, seconds)


def code_of(url: str, receivers: Receivers = LOOPBACK, *, seconds: float = 5.0) -> str:
    with pytest.raises(DeliveryFailed) as failure:
        tell(url, receivers, seconds=seconds)
    return failure.value.code


def resolve_to(monkeypatch: pytest.MonkeyPatch, addresses: Callable[[], list[str]]) -> list[str]:
    """As a name server would answer; the names that were asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses()
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_the_receiver_gets_the_message_as_it_is() -> None:
    with HookReceiver() as receiver:
        assert tell(receiver.url()) == Answer(204)
    [received] = receiver.received
    assert received.line == "POST /told?token=s3cret HTTP/1.1"
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (received.headers["x-test"], received.body) == ("1", b'{"a":1}')


def test_a_header_that_asks_for_time_is_passed_on() -> None:
    with HookReceiver(lambda _: answer(503, "retry-after:  120 ", "X: y")) as receiver:
        assert tell(receiver.url()) == Answer(503, "120")


def test_an_answer_may_be_announced() -> None:
    with HookReceiver(lambda _: answer(103, "Link: x") + OK) as receiver:
        assert tell(receiver.url()) == Answer(204)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "connection_failed"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "invalid_answer"),
        (b"HTTP/1.1 2", "invalid_answer"),
        (b"HTTP/1.1 999 No\r\n\r\n", "invalid_answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * MAX_ANSWER_BYTES, "invalid_answer"),
    ],
)
def test_an_answer_that_is_none_is_a_failure(sent: bytes, code: str) -> None:
    with HookReceiver(lambda _: sent) as receiver:
        assert code_of(receiver.url()) == code


def test_no_more_than_the_head_of_an_answer_is_waited_for() -> None:
    with HookReceiver(lambda _: answer(200, "Content-Length: 1000000000")) as receiver:
        assert tell(receiver.url()).status == 200


def test_a_receiver_that_says_nothing_is_left() -> None:
    never = threading.Event()
    with HookReceiver(lambda _: OK if never.wait(20) else b"") as receiver:
        assert code_of(receiver.url(), seconds=0.2) == "timed_out"
        never.set()


def test_a_receiver_that_drips_is_left_all_the_same() -> None:
    """Each byte comes in time, and the answer as a whole does not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = threading.Event()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                while not left.wait(0.01):
                    connection.sendall(b"H")

        dripping = threading.Thread(target=drip)
        dripping.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert code_of(url, seconds=0.2) == "timed_out"
        left.set()
        dripping.join()


def test_where_nobody_listens_nobody_is_told() -> None:
    with HookReceiver() as receiver:
        url = receiver.url()
    assert code_of(url) == "connection_failed"


def test_a_name_that_nobody_knows_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert code_of("https://nobody.example/") == "unresolvable"
    assert code_of(f"https://{'a' * 64}.example/") == "unresolvable"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "2130706433", "0x7f.1", "localhost", "0"]
)
def test_no_way_of_writing_the_loopback_leads_there(host: str) -> None:
    with HookReceiver() as receiver:
        assert code_of(f"http://{host}:{receiver.port}/", INTERNET) in ("address_refused", "unresolvable")
    assert receiver.num_connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "64:ff9b::a9fe:a9fe", "::ffff:7f00:1"])
def test_one_private_address_among_public_ones_is_enough(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolve_to(monkeypatch, lambda: [PUBLIC, address])
    assert code_of(f"https://{NAME}/", INTERNET) == "address_refused"


def test_a_name_that_changes_its_address_never_leads_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a name server with a time to live of 0 answers: what was checked is what is connected to."""
    dialed: list[str] = []

    def connect(_: socket.socket, address: tuple[Any, ...]) -> None:
        dialed.append(address[0])
        raise ConnectionRefusedError

    with HookReceiver() as receiver:
        url = f"https://{NAME}:{receiver.port}/"
        rounds = itertools.cycle(
            [[PUBLIC], ["127.0.0.1"], ["169.254.169.254"], [PUBLIC, "127.0.0.1"], ["::1"], ["::ffff:7f00:1"]]
        )
        asked = resolve_to(monkeypatch, lambda: next(rounds))
        monkeypatch.setattr(socket.socket, "connect", connect)
        codes = [code_of(url, INTERNET) for _ in range(1000)]
    assert asked == [NAME] * 1000  # Once for each attempt.
    assert set(dialed) == {PUBLIC}
    assert codes.count("connection_failed") == len(dialed) == 167
    assert receiver.num_connections == 0


def test_a_redirect_to_the_inside_is_not_followed() -> None:
    with HookReceiver() as inside:
        elsewhere = answer(307, f"Location: {inside.url()}")
        with HookReceiver(lambda _: elsewhere) as receiver:
            assert tell(receiver.url()) == Answer(307)
    assert inside.num_connections == 0


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with HookReceiver() as proxy, HookReceiver() as receiver:
        monkeypatch.setenv("http_proxy", proxy.url())
        assert tell(receiver.url()) == Answer(204)
    assert proxy.num_connections == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of NAME, signed by itself."""
    path = tmp_path_factory.mktemp("tls") / "pair.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    key = path.with_name("key.pem")
    subprocess.run([*command, "-keyout", str(key), "-out", str(path)], check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path


def told_over_tls(host: str, certificate: Path, trusted: Path | None) -> Answer:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate)
    tls = ssl.create_default_context(cafile=trusted)
    with HookReceiver(tls=served) as receiver:
        return post(urlsplit(receiver.url(host)), b"{}", {}, LOOPBACK, tls)


def test_the_certificate_must_be_that_of_the_name(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    resolve_to(monkeypatch, lambda: ["127.0.0.1"])
    assert told_over_tls(NAME, certificate, certificate) == Answer(204)
    for host, trusted in (("other.example.com", certificate), (NAME, None)):
        with pytest.raises(DeliveryFailed, match="tls_failed"):
            told_over_tls(host, certificate, trusted)


def test_a_receiver_without_tls_is_not_told_as_if_it_had_it() -> None:
    with HookReceiver(lambda _: b"") as receiver:
        assert code_of(receiver.url().replace("http:", "https:"), seconds=0.3) in ("tls_failed", "timed_out")
