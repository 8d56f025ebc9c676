"""What a page of the documentation shows as printed, compared with what was printed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

#: What another run prints otherwise. Codes of HTTP and counts that the example is about stay as they are.
VARYING = [
    (r"\b(job|batch|req)_[0-9a-f]+", r"\1_[0-9a-f]+"),
    (r'"[0-9a-f]{32}"', r'"[0-9a-f]{32}"'),
    (r"cursor=\w+", r"cursor=\\w+"),
    (r'"(generated_text|text)":"(?:[^"\\]|\\.)*"', r'"\1":"(?:[^"\\\\]|\\\\.)*"'),
    (r'"finish_reason":"\w+"', r'"finish_reason":"\\w+"'),
    (r'"(eta_s|position)":(?:null|[\d.]+)', r'"\1":(?:null|[\\d.]+)'),
    (r"\d+(?:\.\d+)?", r"\\d+(?:\\.\\d+)?"),
    (r" *… *", r".*"),
]
EXACT = re.compile(r'^HTTP/1\.1 .*|^\d{3} \w+|"status":\d{3}|\((?:given|limit)[^)]*\)')


@dataclass(frozen=True)
class Example:
    """Lines for a shell, and what the page shows below them; `language` is that of what is shown."""

    lines: str
    language: str
    shown: str


def examples(page: str) -> list[Example]:
    """Every block of shell in `page`, in order; with nothing shown where other words follow it."""
    block = r"^```(\w*)\n(.*?)^```\n"
    found = re.finditer(rf"^```sh\n(.*?)^```\n(?:\n{block})?", page, re.MULTILINE | re.DOTALL)
    return [Example(each[1], each[2] or "", each[3] or "") for each in found]


def pattern(line: str) -> re.Pattern[str]:
    """Matches `line` as it was printed, and as it would be by another run."""
    kept, rest = [], 0
    for exact in EXACT.finditer(line):
        kept += [varied(line[rest : exact.start()]), re.escape(exact[0])]
        rest = exact.end()
    return re.compile("".join([*kept, varied(line[rest:])]))


def varied(part: str) -> str:
    alternatives = "|".join(f"(?:{regex})" for regex, _ in VARYING)
    done, rest = [], 0
    for each in re.finditer(alternatives, part):
        done += [re.escape(part[rest : each.start()]), varying(each[0])]
        rest = each.end()
    return "".join([*done, re.escape(part[rest:])])


def varying(word: str) -> str:
    for regex, instead in VARYING:
        if (match := re.fullmatch(regex, word)) is not None:
            return match.expand(instead)
    raise AssertionError(word)


def missing(example: Example, printed: str) -> str | None:
    """The first line that is shown and was not printed, in its order; None when all were."""
    if example.language == "json":
        shown, real = json.loads(example.shown), json.loads(printed)
        return None if form(shown) == form(real) else f"{form(shown)} is shown, and it is {form(real)}"
    lines = iter(printed.splitlines())
    for line in example.shown.splitlines():
        if line.strip() not in ("", "…") and not any(pattern(line).fullmatch(each) for each in lines):
            return line
    return None


def form(value: Any) -> Any:
    """The members of an object, without their values."""
    if isinstance(value, dict):
        return {name: form(each) for name, each in value.items()}
    return [form(each) for each in value] if isinstance(value, list) else None
