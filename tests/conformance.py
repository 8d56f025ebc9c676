"""Requests that schemathesis makes up from the document, and what is wrong with the answers."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks

from api.request import SEVEN_DAYS_SECONDS

#: Those that look at one answer. What a wrong method gets is asked for on its own, see try_wrong_methods().
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
]

#: A stream or a wait that takes longer would be one that does not end.
TIMEOUT_SECONDS = 30

CONFIGURATION = {
    "generation": {"allow-x00": False},
    "checks": {
        # Too much to be looked at is a refusal, too.
        "negative_data_rejection": {"expected-statuses": [400, 401, 404, 409, 410, 413, 414, 415, 422, 429]}
    },
}

#: Refusals of requests that fit the schema, for what no schema can say: the codes, or words of the errors.
BEYOND_SCHEMA = {
    *("deadline_unmeetable", "idempotency_key_reused", "payload_too_large", "prompt_too_long"),
    *("context_length_exceeded", "unknown_model"),
}
BEYOND_SCHEMA_WORDS = (
    "holds nothing that the model's tokenizer knows",
    "the model holds",
    "must be 1 when do_sample is false",
    "which are drawn with seed",
    "must be that of an answer's `next`",
    "webhook: ",
    "webhook_events: ",
    "is that of requests.",
    "No worker has ever registered a model",
    "give either max_length",
    "must be more than the prompt's",
    *("must be the same as n", "is only allowed when stream", "is for one prompt", "is low for a list"),
    "must be 1 when temperature is 0",
    "must have at most",  # Characters of one of several prompts.
    "bytes as JSON",  # Metadata.
    "an integer of more than 20 digits",  # In metadata.
)


@dataclass
class Figures:
    seed: int
    answers: Counter[str] = field(default_factory=Counter)  #: By class of status: 2xx.
    failures: list[str] = field(default_factory=list)

    @property
    def num_cases(self) -> int:
        return self.answers.total()

    def __str__(self) -> str:
        classes = ", ".join(f"{number} {name}" for name, number in sorted(self.answers.items()))
        return f"seed {self.seed}: {self.num_cases} cases ({classes}), {len(self.failures)} failures"


class Fuzzer:
    """Cases for a server at `url`, the same for the same seed as far as the server's answers are."""

    def __init__(self, url: str, document: Mapping[str, Any], *, seed: int, key: str = "") -> None:
        self.figures = Figures(seed)
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._schema = schemathesis.openapi.from_dict(
            dict(document), config=SchemathesisConfig.from_dict(CONFIGURATION)
        )
        self._random = random.Random(seed)
        self._ids: dict[str, list[str]] = {"job_id": [], "batch_id": []}
        self._session = requests.Session()

    def run(self, num_cases: int) -> Figures:
        """At least so many, spread over all operations, fitting and not."""
        strategies = list(self._strategies())
        while (missing := num_cases - self.figures.num_cases) > 0:
            share = -(-missing // len(strategies))
            for number, strategy in enumerate(strategies):
                self._generate(strategy, share, self.figures.seed + number + self.figures.num_cases)
        return self.figures

    def try_wrong_methods(self) -> None:
        """Each has to be a 405 that says which there are."""
        for path, methods in self._schema.raw_schema["paths"].items():
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - {each.upper() for each in methods}:
                address = path.replace("{", "").replace("}", "")
                answer = self._session.request(method, self._url + address, headers=self._headers)
                self._count(answer)
                allowed = set(answer.headers.get("Allow", "").split(", ")) - {"HEAD", "OPTIONS"}
                if answer.status_code != 405 or allowed != {each.upper() for each in methods}:
                    self.figures.failures.append(f"{method} {path}: {answer.status_code}, Allow {allowed}")

    def _strategies(self) -> Iterator[Any]:
        for result in self._schema.get_all_operations():
            operation = result.ok()
            yield operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
            if operation.body or operation.query:
                yield operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    def _generate(self, strategy: Any, num_cases: int, number: int) -> None:
        @seed(number)
        @settings(
            max_examples=num_cases,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def try_one(case: Case) -> None:
            self._try(case)

        try_one()

    def _try(self, case: Case) -> None:
        if any(value == [] for value in (case.query or {}).values()):
            return  # It is left out of the address, and what was to be wrong with it.
        self._name_what_exists(case)
        self._grant_time(case)
        answer = case.call(self._url, self._session, self._headers, timeout=TIMEOUT_SECONDS)
        self._count(answer)
        self._remember(answer)
        try:
            case.validate_response(answer, checks=[*CHECKS, accepts_what_fits], headers=self._headers)
        except FailureGroup as found:
            self.figures.failures.append(str(found))

    def _name_what_exists(self, case: Case) -> None:
        """Most ids that could be are nobody's."""
        path = case.meta.components.get(ParameterLocation.PATH) if case.meta else None
        for name, known in self._ids.items():
            fits = path is not None and path.mode is GenerationMode.POSITIVE
            if fits and known and name in case.path_parameters and self._random.random() < 0.7:
                case.path_parameters[name] = self._random.choice(known[-20:])

    def _grant_time(self, case: Case) -> None:
        """A call that waits for a job gets a 504 when the deadline has passed, as it should."""
        deadline = case.body.get("deadline_s") if isinstance(case.body, dict) else None
        # To isinstance() true is a number, and it is one that the API has to refuse.
        if type(deadline) in (int, float) and 0.001 <= deadline <= SEVEN_DAYS_SECONDS:
            case.body["deadline_s"] = 60 + deadline / 2

    def _count(self, answer: Any) -> None:
        self.figures.answers[f"{answer.status_code // 100}xx"] += 1

    def _remember(self, answer: Any) -> None:
        """Jobs and batches that there are, for the routes of one."""
        location = dict(answer.headers).get("location", [""])[0]
        for name, known in self._ids.items():
            if location.startswith(f"/{'jobs' if name == 'job_id' else 'batches'}/"):
                known.append(location.rsplit("/", 1)[1])


def accepts_what_fits(_: Any, response: Any, case: Case) -> None:
    """Like schemathesis' positive_data_acceptance, but for what no schema can say."""
    generated = case.meta and case.meta.generation.mode
    if generated is not GenerationMode.POSITIVE or response.status_code not in (400, 413, 415, 422):
        return
    problem = json.loads(response.content)
    if "error" in problem:  # As OpenAI's clients read it.
        problem = {"code": problem["error"]["code"], "detail": problem["error"]["message"]}
    errors = [f"{each['field']}: {each['message']}" for each in problem.get("errors", ())]
    known = (any(words in each for words in BEYOND_SCHEMA_WORDS) for each in errors or [problem["detail"]])
    assert problem["code"] in BEYOND_SCHEMA or all(known), f"a fitting request is refused: {problem}"
