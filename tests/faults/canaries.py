"""A password and a part of every prompt that occur nowhere else: where they turn up, something has leaked."""

from __future__ import annotations

import base64
import json
import re
import threading
import uuid
from collections.abc import Iterable

from tasks.worker.scripted_model import byte_tokenizer

PASSWORD = f"canary{uuid.uuid4().hex}"
PROMPT = f"canary{uuid.uuid4().hex[:10]}"

#: Letters in a row by which a generated text is known.
TEXT_CHARS = 12


class Overheard:
    """What others than clients and the server can hear of a deployment. Thread-safe."""

    def __init__(self) -> None:
        self._heard: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self.texts: set[str] = set()  #: Generated ones, which are looked for as well.

    def add(self, place: str, what: str) -> None:
        with self._lock:
            self._heard.append((place, what))

    def add_error(self, body: str) -> None:
        """A problem document. What its job has generated belongs to its client, and so is not looked at."""
        try:
            problem = json.loads(body)
        except ValueError:
            problem = body
        if isinstance(problem, dict) and isinstance(problem.get("job"), dict):
            problem["job"].pop("result", None)
        self.add("an error body", json.dumps(problem, ensure_ascii=False))

    def leaks(self) -> tuple[str, ...]:
        """What was heard where, by kind, never the thing itself."""
        beginnings = {text[:TEXT_CHARS] for text in self.texts if len(text) >= TEXT_CHARS}
        with self._lock:
            found = {f"{kind} in {place}" for place, what in self._heard for kind in _kinds(what, beginnings)}
        return tuple(sorted(found))


def _kinds(what: str, beginnings: set[str]) -> Iterable[str]:
    for kind, forms in _FORMS.items():
        if any(form in what for form in forms):
            yield kind
    for word in re.findall(rf"[a-z]{{{TEXT_CHARS},}}", what):
        if any(word[start : start + TEXT_CHARS] in beginnings for start in range(len(word) - TEXT_CHARS + 1)):
            yield "a text"
            return


def _base64_forms(secret: str) -> Iterable[str]:
    """Inside a longer base64 text it may begin at three places of a group; less what its neighbours share."""
    for offset in range(3):
        data = b"\0" * offset + secret.encode()
        yield base64.b64encode(data).decode()[-(-offset * 8 // 6) : len(data) * 8 // 6]


def _forms(secret: str) -> tuple[str, ...]:
    return (secret, *_base64_forms(secret))


_FORMS = {
    "the password": _forms(PASSWORD),
    "a prompt": (*_forms(PROMPT), ", ".join(map(str, byte_tokenizer().encode(PROMPT).ids))),
}
