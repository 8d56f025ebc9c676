"""The comparison by which the examples of docs/api.md are held against what they print."""

from __future__ import annotations

import pytest

from tests.e2e.printed import Example, examples, missing

PAGE = """
```sh
first
```

```
HTTP/1.1 200 OK
…
{"id":"job_1a","status":"queued", … "eta_s":null}
```

```sh
second
```

Words.

```
not of the second
```
"""

PRINTED = 'HTTP/1.1 200 OK\nServer: x\n{"id":"job_ffff","status":"queued","more":1,"eta_s":0.5}\n'


def test_a_block_has_what_stands_right_below_it() -> None:
    first, second = examples(PAGE)
    assert (first.lines, second.lines, second.shown) == ("first\n", "second\n", "")
    assert first.shown.startswith("HTTP/1.1 200 OK")


def test_what_varies_may_vary() -> None:
    assert missing(examples(PAGE)[0], PRINTED) is None


@pytest.mark.parametrize(
    ("was", "instead"), [("200 OK", "202 ACCEPTED"), ("queued", "running"), ('"status"', '"state"')]
)
def test_what_is_promised_may_not(was: str, instead: str) -> None:
    assert missing(examples(PAGE)[0], PRINTED.replace(was, instead)) is not None


def test_of_an_object_the_members_are_compared() -> None:
    example = Example("", "json", '{"id": "a", "result": [{"text": "b"}]}')
    assert missing(example, '{"id": "x", "result": [{"text": "y"}]}') is None
    assert missing(example, '{"id": "x", "result": [{"word": "y"}]}') is not None
