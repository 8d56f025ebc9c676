"""Nobody talks a service into telling things to its own network."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from api.webhooks.address import check_url
from api.webhooks.receivers import Receivers, is_public, plain
from api.webhooks.settings import parse_receivers

INTERNET = Receivers()


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07::1", "2a00:1450::1"])
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))
    assert INTERNET.admit("example.com", address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1", "192.168.1.1"),
        *("100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.9", "192.0.0.192", "192.0.2.1"),
        *("192.88.99.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1"),
        *("240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "fe80::1", "fe80::1%1"),
        *("fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::a9fe:a9fe"),
        *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    ],
)
def test_any_other_address_is_not(address: str) -> None:
    assert not is_public(plain(address))
    assert not INTERNET.admit("example.com", address)


def test_what_the_operator_allows_is_admitted_and_nothing_beside_it() -> None:
    receivers = parse_receivers("10.1.0.0/16, hooks.internal fd00::/8")
    assert receivers.admit("any.example.com", "10.1.2.3")
    assert receivers.admit("any.example.com", "::ffff:10.1.2.3")
    assert receivers.admit("any.example.com", "fd00::1")
    assert receivers.admit("hooks.internal", "192.168.1.1")
    assert not receivers.admit("any.example.com", "10.2.0.1")
    assert not receivers.admit("other.hooks.internal", "192.168.1.1")
    assert str(receivers) == "10.1.0.0/16 fd00::/8 hooks.internal"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook?token=a%20b",
        "https://example.com:8443",
        "https://EXAMPLE.com/",
        "https://8.8.8.8/hook",
        "https://[2606:2800:21f:cb07::1]/hook",
        "https://xn--bcher-kva.example/",
    ],
)
def test_an_address_that_can_be_told_is_taken(url: str) -> None:
    check_url(url, INTERNET)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "example.com/hook",
            "//example.com",
            "https://",
            "https:///hook",
            "ftp://example.com",
            "a" * 30,
        ),
        *("file:///etc/passwd", "gopher://example.com:6379/_FLUSHALL", "https://exa mple.com", "https://."),
        *("https://example.com/\r\nX-Evil: 1", "https://bücher.example/", "https://example.com:0/"),
        *("https://example.com:99999/", "https://example.com:x/", "https://user:password@example.com/"),
        *("https://user@example.com/", "https://example.com/#part", "https://[::1", "https://a\\@127.0.0.1/"),
        *("http://example.com/hook", "http://127.0.0.1/", "http://[::ffff:127.0.0.1]", "http://2130706433/"),
        *("https://127.0.0.1/", "https://[::ffff:127.0.0.1]/", "https://2130706433/", "https://0x7f000001/"),
        *("https://0177.0.0.1/", "https://127.1/", "https://[64:ff9b::a9fe:a9fe]/", "https://[::]/"),
        *("https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/", "https://0/"),
    ],
)
def test_any_other_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|must)") as refusal:
        check_url(url, INTERNET)
    assert not url or url not in str(refusal.value)


def test_without_tls_only_what_the_operator_names_is_told() -> None:
    receivers = parse_receivers("10.0.0.0/8 hooks.internal")
    check_url("http://hooks.internal/told", receivers)
    check_url("http://10.1.2.3:8080/told", receivers)
    for url in ("http://example.com/", "http://8.8.8.8/", "http://other.internal/"):
        with pytest.raises(ValueError, match="https"):
            check_url(url, receivers)
