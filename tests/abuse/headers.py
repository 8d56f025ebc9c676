"""Headers that no client library sends."""

from __future__ import annotations

import gzip

from tests.abuse.case import ALLOWED, Case, post, request

HELLO = b'{"text":"Hello","max_new_tokens":1}'
NO_JOB = "/jobs/job_" + "0" * 32

CONTENT_TYPES = (
    "",
    "text/plain",
    "text/json",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=a",
    "application/jsonl",
    "application/octet-stream",
    "application/json, text/plain",
    "application/json; charset=utf-16",
    "application/json; charset=latin-1",
    "application/json; charset=idna",
    "application/json; charset=unknown-8bit",
    "*/*",
    "application/" + "json" * 1000,
    "\xff\xfe",
)
ENCODINGS = ("gzip", "deflate", "br", "zstd", "gzip, gzip", "x-unknown", "identity, gzip")

#: Of headers that change what is done: a refusal.
REFUSED_HEADERS = (
    "Idempotency-Key: ",
    "Idempotency-Key: " + "a" * 300,
    "Idempotency-Key: \xe4",
    "Idempotency-Key: a\tb",
    "Expect: 200-ok",
    "Expect: 100-continue, x",
    "X Space: a",
    "X-Bad\x00Name: a",
    "X-Bad: a\x00b",
    " X-Folded: a",
    "No colon",
    ": no name",
    "(Comment): a",
)

#: Of headers that only advise: they are passed over, or refused, but nothing fails.
ODD_HEADERS = (
    "Prefer: wait=-1",
    "Prefer: wait=1e9",
    "Prefer: wait=" + "9" * 5000,
    "Prefer: wait=\xb2",
    'Prefer: wait="',
    "Prefer: " + "respond-async," * 400,
    "X-Request-Id: " + "a" * 1000,
    "X-Request-Id: \x7f\xff",
    "traceparent: 00-" + "f" * 32 + "-" + "0" * 16 + "-zz",
    "traceparent: " + "0" * 5000,
    "tracestate: " + "a=b," * 600,
    "Authorization: ",
    "Authorization: Bearer",
    "Authorization: Bearer \xff",
    "Authorization: Bearer " + "a" * 5000,
    "Authorization: Basic YTpi",
    "Authorization: Digest username=a",
    "Accept: ",
    "Accept: */*;q=2",
    "Accept: " + "text/html;q=0.1," * 300,
    "Accept: \xff/\xfe",
    "Accept-Encoding: gzip;q=0, *;q=0",
    "Cookie: session=" + "a" * 7000,
    "Range: bytes=0-0,-1,5-1",
    "If-None-Match: " + '"a",' * 1500,
    "If-None-Match: W/",
    "If-Modified-Since: yesterday",
    "Upgrade: websocket\r\nConnection: Upgrade",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    "X-HTTP-Method-Override: DELETE",
    "X-Forwarded-For: 127.0.0.1, ::1, \xff",
    "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example",
    "X-Original-URL: /metrics",
    'Forwarded: for="[::1]";host=evil',
    "Origin: null",
    "Origin: https://evil.example",
    "Referer: javascript:alert(1)",
    "User-Agent: () { :; }; /bin/sh",
    "User-Agent: ${jndi:ldap://127.0.0.1/a}",
    "Max-Forwards: -1",
    "Date: 0",
    "TE: trailers, deflate;q=0.5",
)

RESUME = ("", "-", "0-0-0", "9" * 40, "-1", "a-b", "1-" + "9" * 30, "$", "+", "\xff", "0" * 5000)


def cases() -> list[Case]:
    found = [Case(f"Content-Type {each[:30]!r}", post("/jobs", HELLO, each)) for each in CONTENT_TYPES]
    found += [Case("no Content-Type", request("POST", "/jobs", body=HELLO))]
    packed = gzip.compress(HELLO, mtime=0)
    found += [
        Case(
            f"Content-Encoding {each}", post("/jobs", packed, "application/json", f"Content-Encoding: {each}")
        )
        for each in ENCODINGS
    ]
    bomb = gzip.compress(bytes(20_000_000), mtime=0)
    found += [Case("a bomb in gzip", post("/jobs", bomb, "application/json", "Content-Encoding: gzip"))]
    found += [Case(each[:40], post("/jobs", HELLO, "application/json", each)) for each in REFUSED_HEADERS]
    found += [
        Case(f"{each[:40]} at {method} {path}", request(method, path, each), ALLOWED)
        for each in ODD_HEADERS
        for method, path in (("GET", "/jobs?limit=1"), ("GET", "/"))
    ]
    found += [
        Case(f"{each[:40]} at POST /jobs", post("/jobs", HELLO, "application/json", each), ALLOWED)
        for each in ODD_HEADERS
    ]
    found += [
        Case(f"Last-Event-ID {each[:20]!r}", request("GET", f"{NO_JOB}/events", f"Last-Event-ID: {each}"))
        for each in RESUME
    ]
    return found
