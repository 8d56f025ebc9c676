"""Bytes that are no request of HTTP/1.1, or two in one."""

from __future__ import annotations

from tests.abuse.case import ALLOWED, REFUSED, Case, post, request

HELLO = b'{"text":"Hello","max_new_tokens":1}'
HEAD = b"POST /jobs HTTP/1.1\r\nHost: abuse\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: abuse\r\n\r\n"

#: A server that does not know them may say 501 or 505, which are answers and no failures.
UNKNOWN = REFUSED | {501, 505}
#: What is no HTTP at all may be closed without a word.
SILENT = UNKNOWN | {None}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


WHOLE = chunk(HELLO) + b"0\r\n\r\n"

LENGTHS = (
    b"-1",
    b"+35",
    b"0x23",
    b"35.0",
    b"35, 35",
    b"35, 36",
    b"1e1",
    b"",
    b" ",
    b"9" * 30,
    b"abc",
    b"35\r\nContent-Length: 36",
    b"\xb3\xb5",
    b"3_5",
)
CODINGS = (
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding: chunked\x00",
    b"Transfer-Encoding: chunked\r\nContent-Length: 4",
    b"Content-Length: 4\r\nTransfer-Encoding: chunked",
    b"Transfer_Encoding: chunked",
)
CHUNKS = (
    b"zz\r\n" + HELLO + b"\r\n0\r\n\r\n",
    b"-1\r\n" + HELLO + b"\r\n0\r\n\r\n",
    b"0x23\r\n" + HELLO + b"\r\n0\r\n\r\n",
    b"f" * 40 + b"\r\n" + HELLO + b"\r\n0\r\n\r\n",
    b"ff\r\n" + HELLO,
    b"23\r\n" + HELLO + b"xx0\r\n\r\n",
    b"23" + b";a=b" * 5000 + b"\r\n" + HELLO + b"\r\n0\r\n\r\n",
    b"\r\n\r\n",
    b"0\r\n\r\n",
)
NO_HTTP = (
    b"GET /healthz\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\n\r\n",
    b"GET /healthz HTTP/1\r\n\r\n",
    b"GET /healthz http/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1 x\r\n\r\n",
    b"GET\r\n\r\n",
    b" GET /healthz HTTP/1.1\r\n\r\n",
    b"GET  /healthz  HTTP/1.1\r\n\r\n",
    b"G\xc3\x84T /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(40),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"*1\r\n$8\r\nFLUSHALL\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"EHLO example.com\r\n\r\n",
    b"\x00" * 1000,
    bytes(range(256)) * 8,
    b"A" * 200_000,
    b"\r\n" * 3000,
    b"POST /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    HEAD + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n",
    HEAD + b"".join(b"X-%d: a\r\n" % number for number in range(5_000)) + b"\r\n",
    HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\n{}",
    HEAD + b"X-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"X-CR: a\rb\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Length: 2\r\n\r{}",
)
HOSTS = (
    b"",
    b"evil.example/../a",
    b"a, b",
    b"a\r\nHost: b",
    b"[::1",
    b"\xff",
    b"a" * 5000,
    b"a b",
    b"127.0.0.1:99999",
)


def cases() -> list[Case]:
    found = [
        Case(f"Content-Length {each[:20]!r}", HEAD + b"Content-Length: %s\r\n\r\n" % each + HELLO, UNKNOWN)
        for each in LENGTHS
    ]
    found += [
        Case(f"{each[:60]!r}", HEAD + each + b"\r\n\r\n" + WHOLE + SMUGGLED, UNKNOWN) for each in CODINGS
    ]
    found += [Case(f"a chunk {each[:20]!r}", CHUNKED + each) for each in CHUNKS]
    found += [Case(f"{each[:40]!r}", each, SILENT) for each in NO_HTTP]
    found += [
        Case(f"Host {each[:30]!r}", b"GET /healthz HTTP/1.1\r\nHost: " + each + b"\r\n\r\n", ALLOWED)
        for each in HOSTS
    ]
    found += [
        Case("no Host", b"GET /healthz HTTP/1.1\r\n\r\n", ALLOWED),
        Case("a body shorter than said", HEAD + b"Content-Length: 100\r\n\r\n" + HELLO),
        Case("a body longer than said", HEAD + b"Content-Length: 5\r\n\r\n" + HELLO),
        Case("a body of which nothing is said", HEAD + b"\r\n" + HELLO),
        Case("a body too large, announced", HEAD + b"Content-Length: 300000\r\n\r\n" + b" " * 1000),
        Case("a body too large, in chunks", CHUNKED + chunk(b" " * 65_536) * 6 + b"0\r\n\r\n"),
        Case("a body with GET", request("GET", "/healthz", body=SMUGGLED), ALLOWED),
        Case("a body with DELETE", request("DELETE", f"/jobs/job_{'0' * 32}", body=HELLO)),
        Case("a body that holds a request", post("/jobs", SMUGGLED)),
    ]
    return found
