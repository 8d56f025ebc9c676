"""Addresses, queries and methods that nobody means."""

from __future__ import annotations

from tests.abuse.case import ALLOWED, REFUSED, Case, request

IDS = (
    "..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "....//etc",
    "job_",
    "job_" + "0" * 31,
    "job_" + "0" * 33,
    "job_" + "A" * 32,
    "JOB_" + "0" * 32,
    "batch_" + "0" * 32,
    "job_" + "0" * 32 + "%00",
    "job_" + "0" * 32 + "%0d%0aX-Injected:%201",
    "job_%",
    "job_%zz",
    "job_%ff%fe",
    "job_%u0041",
    "job_*",
    "*",
    "%7b%7d",
    "$%7b7*7%7d",
    "'%20OR%201=1--",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "job_0;rm%20-rf",
    "0" * 3000,
    "%f0%9f%98%80",
    "neoserve:queued",
)
ROUTES = (
    ("GET", "/jobs/{}"),
    ("GET", "/jobs/{}?wait=1"),
    ("GET", "/jobs/{}/events"),
    ("DELETE", "/jobs/{}"),
    ("POST", "/jobs/{}/cancel"),
    ("POST", "/jobs/{}/retry"),
    ("GET", "/batches/{}"),
    ("GET", "/batches/{}/results"),
    ("DELETE", "/batches/{}"),
    ("GET", "/page/{}"),
)
NUMBERS = (
    "-1",
    "1e9",
    "nan",
    "inf",
    "",
    "abc",
    "1%201",
    "0x10",
    "%EF%BC%91",
    "1,5",
    "9" * 400,
    "%00",
    "true",
)
QUERIES = (
    *(f"/jobs?limit={each}" for each in (*NUMBERS, "0", "101", "1.5")),
    *(f"/batches?limit={each}" for each in (*NUMBERS, "0", "101", "1.5")),
    *(
        f"/jobs?cursor={each}"
        for each in ("", "a", "!!!!", "LTE", "%00", "A" * 4000, "../..", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA")
    ),
    *(f"/jobs?status={each}" for each in ("", "ended", "QUEUED", "queued,", ",", "%00", "*", "a" * 4000)),
    *(
        f"/jobs?{each}"
        for each in ("offset=1", "limit[]=1", "limit", "__proto__=1", "&&&=&", "limit=1&unknown=1")
    ),
)
METHODS = ("TRACE", "PUT", "PATCH", "DELETE", "FOO", "get", "PROPFIND", "MKCOL", "SEARCH", "PURGE", "A" * 19)
ODD_ADDRESSES = (
    "//predict",
    "/predict/",
    "/predict/../metrics",
    "/%70redict",
    "/predict%00",
    "/predict;a=b",
    "/PREDICT",
    "/.env",
    "/.git/config",
    "/wp-login.php",
    "/admin",
    "/cgi-bin/test.cgi",
    "/static/../api/app.py",
    "/page/../../api/app.py",
    "/page/%2e%2e/%2e%2e/etc/passwd",
    "/jobs//events",
    "/" + "a/" * 1500,
    "/" + "%41" * 1000,
    "/?" + "a=b&" * 900,
    "/jobs?" + "limit=1&" * 400,
    "/\xff\xfe",
    "/%ff",
    "/%",
    "/#fragment",
    "http://evil.example/jobs",
    "*",
    "jobs",
    "?limit=1",
)


def cases() -> list[Case]:
    found = [
        Case(f"{method} {route.format(each)[:60]}", request(method, route.format(each)))
        for each in IDS
        for method, route in ROUTES
    ]
    found += [
        Case(f"wait={each[:20]}", request("GET", f"/jobs/job_{'0' * 32}?wait={each}"))
        for each in (*NUMBERS, "61", "60.0001")
    ]
    found += [Case(f"GET {each[:60]}", request("GET", each)) for each in QUERIES]
    found += [
        Case(f"{method} {path}", request(method, path))
        for method in METHODS
        for path in ("/predict", "/jobs", "/healthz")
    ]
    found += [Case(f"GET {each[:60]!r}", request("GET", each), ALLOWED) for each in ODD_ADDRESSES]
    found += [
        Case(f"CONNECT {each}", request("CONNECT", each), REFUSED)
        for each in ("evil.example:443", "/predict")
    ]
    return found
