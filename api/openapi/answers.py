"""The answers of a route: those that it is there for, and its problems."""

from __future__ import annotations

from typing import Any

from api.answers.problem import Problem
from api.authentication import OPEN
from api.openapi.bodies import bodies
from api.openapi.headers import ANSWER
from api.openapi.operation import Answer, Operation, Refusal
from api.openapi.operations.common import ANY
from api.openapi.problem_codes import CODES, by_status
from api.openapi.schemas import Schemas
from api.problems import PROBLEM_TYPE
from api.rate_limit import COUNTED
from api.settings import ApiSettings

#: Headers of refusals beyond that of every answer.
OF_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After?",), 503: ("Retry-After?",)}

EVERY = "X-Request-Id"

#: Where OpenAI's clients may be told not to try again.
NOT_AGAIN = (409, 500, 504)


class Answers:
    """`shared` are components."""

    def __init__(self, schemas: Schemas, settings: ApiSettings, *, asks_for_keys: bool) -> None:
        self._schemas = schemas
        self._settings = settings
        self._asks = asks_for_keys
        self._shared = by_status(ANY, settings.queue_full_status)
        self.shared = {
            f"Problem{status}": self._refusal(status, codes) for status, codes in self._shared.items()
        }

    def of(self, endpoint: str, operation: Operation) -> dict[str, Any]:
        counted = ("RateLimit?", "RateLimit-Policy?") if endpoint in COUNTED else ()
        found = {str(each.status): self._answer(each, counted) for each in operation.answers}
        codes = [*ANY, *operation.codes]
        if self._asks and endpoint not in OPEN:
            codes.append("unauthorized")
        if counted:
            codes.append("rate_limited")
        refused = by_status(codes, self._settings.queue_full_status)
        if operation.refusal is not None:
            return found | self._other_refusals(operation.refusal, refused, counted)
        for status, names in refused.items():
            if names == self._shared.get(status):
                found[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
            else:
                found[str(status)] = self._refusal(status, names, counted if status == 429 else ())
        return found

    def _other_refusals(
        self, refusal: Refusal, refused: dict[int, list[str]], counted: tuple[str, ...]
    ) -> dict[str, Any]:
        """Under their own statuses; what the server itself refuses is a problem beside them."""
        groups: dict[int, list[str]] = {}
        for status, codes in refused.items():
            for code in codes:
                groups.setdefault(refusal.status_of(code, status), []).append(code)
        found: dict[str, Any] = {}
        for status, codes in sorted(groups.items()):
            shared = self._shared.get(status, [])
            more = counted if status == 429 else ("X-Should-Retry?",) if status in NOT_AGAIN else ()
            content = bodies([refusal.content], self._schemas)
            if shared:
                content |= self._refusal(status, shared)["content"]
            found[str(status)] = {
                "description": "\n".join(renamed(code, refusal.code_of(code)) for code in codes),
                "headers": named((EVERY, *OF_STATUS.get(status, ()), *more)),
                "content": content,
            }
        return found

    def _answer(self, answer: Answer, more_headers: tuple[str, ...]) -> dict[str, Any]:
        shown = {
            "description": answer.description,
            "headers": named((EVERY, *answer.headers, *more_headers)),
        }
        return {**shown, "content": bodies(answer.contents, self._schemas)} if answer.contents else shown

    def _refusal(self, status: int, codes: list[str], more_headers: tuple[str, ...] = ()) -> dict[str, Any]:
        schema = self._schemas.of(Problem)
        if status != 500:  # A worker may fail in ways that a later release knows.
            schema["properties"] = {"status": {"const": status}, "code": {"enum": codes}}
        return {
            "description": "\n".join(f"- `{code}`: {CODES[code].description}" for code in codes),
            "headers": named((EVERY, *OF_STATUS.get(status, ()), *more_headers)),
            "content": {PROBLEM_TYPE: {"schema": schema}},
        }


def renamed(code: str, shown: str) -> str:
    elsewhere = "" if shown == code else f" (elsewhere `{code}`)"
    return f"- `{shown}`{elsewhere}: {CODES[code].description}"


def named(names: tuple[str, ...]) -> dict[str, Any]:
    """Those without a `?` are always there."""
    found: dict[str, Any] = {}
    for name in names:
        header = ANSWER[name.removesuffix("?")]
        schema = {key: value for key, value in header.items() if key != "description"}
        always = {} if name.endswith("?") else {"required": True}
        found[name.removesuffix("?")] = {"description": header["description"], **always, "schema": schema}
    return found
