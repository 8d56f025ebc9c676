"""What a workflow must be like, and linters do not look at. Each check yields what is wrong, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from .files import ROOT

PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")

#: Trust in whoever answers, names that move, and events that run a stranger's code with our rights.
FORBIDDEN = (
    *("StrictHostKeyChecking", "ssh-keyscan", "ssh-add", ":latest", "pull_request_target", "workflow_run"),
    *("curl", "wget", "| sh", "| bash", "--insecure", "insecure-skip-tls-verify", "continue-on-error"),
)

#: What must have gone well before anything leaves the runner.
BEFORE_A_PUSH = frozenset({"lint", "test", "containers", "images"})

PERMISSIONS = {
    "lint": {"contents": "read"},
    "test": {"contents": "read"},
    "containers": {"contents": "read"},
    "images": {"contents": "read"},
    "push": {"packages": "write"},
    "deploy": {"contents": "read"},
}

ONLY_THE_DEFAULT_BRANCH = (
    "github.event_name == 'push' && github.ref_name == github.event.repository.default_branch"
)

LONGEST_MINUTES = 40


def findings(text: str) -> list[str]:
    workflow: dict[str, Any] = yaml.safe_load(text)
    jobs: dict[str, Any] = workflow["jobs"]
    return [
        *unpinned(text),
        *(f"{word!r} is not to be used" for word in FORBIDDEN if word in text),
        *careless_permissions(workflow, jobs),
        *early_pushes(jobs),
        *careless_scripts(jobs),
        *missing_programs(jobs),
        *endless(jobs),
    ]


def unpinned(text: str) -> Iterator[str]:
    for line in re.findall(r"uses: *(.*)", text):
        if not PINNED.fullmatch(line):
            yield f"{line} is not pinned by commit, with its version behind it"


def careless_permissions(workflow: dict[str, Any], jobs: dict[str, Any]) -> Iterator[str]:
    if workflow.get("permissions") != {}:
        yield "the workflow as a whole may do something"
    for name, job in jobs.items():
        if job.get("permissions") != PERMISSIONS.get(name):
            yield f"{name} may do {job.get('permissions')}"


def all_needs(jobs: dict[str, Any], name: str) -> set[str]:
    direct = jobs[name].get("needs", [])
    found = {direct} if isinstance(direct, str) else set(direct)
    for each in list(found):
        found |= all_needs(jobs, each)
    return found


def early_pushes(jobs: dict[str, Any]) -> Iterator[str]:
    for name, job in jobs.items():
        pushes = "write" in (job.get("permissions") or {}).values() or "docker push" in script(job)
        if not pushes and "environment" not in job and "KUBECONFIG" not in str(job):
            continue
        if not all_needs(jobs, name) >= BEFORE_A_PUSH:
            yield f"{name} does not wait for {sorted(BEFORE_A_PUSH - all_needs(jobs, name))}"
        # A job whose need was skipped is skipped too, unless a condition of its own says otherwise.
        if job.get("if", ONLY_THE_DEFAULT_BRANCH) != ONLY_THE_DEFAULT_BRANCH:
            yield f"{name} runs if {job['if']}"
    if "if" not in jobs["push"]:
        yield "push runs for every branch"
    if jobs["deploy"].get("environment") != "production":
        yield "deploy stands behind no environment"


def script(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def careless_scripts(jobs: dict[str, Any]) -> Iterator[str]:
    for name, job in jobs.items():
        if "${{" in script(job):
            yield f"{name} puts text of an event or a secret into a shell's script"
        for step in job["steps"]:
            options = step.get("with", {})
            if (
                "actions/checkout@" in step.get("uses", "")
                and options.get("persist-credentials") is not False
            ):
                yield f"{name} leaves the token of the checkout behind"
            if "build-push-action@" in step.get("uses", "") and options.get("push"):
                yield f"{name} pushes what nobody has looked into"


def missing_programs(jobs: dict[str, Any]) -> Iterator[str]:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name, job in jobs.items():
        for target in re.findall(r"\bmake ([\w-]+)", script(job)):
            if target not in targets:
                yield f"{name} makes {target}, which is no target"
        for path in re.findall(r"^(\S+/\S+\.sh)\b", script(job), re.MULTILINE):
            if not (ROOT / path).is_file():
                yield f"{name} runs {path}, which is not there"


def endless(jobs: dict[str, Any]) -> Iterator[str]:
    for name, job in jobs.items():
        if not job.get("timeout-minutes", LONGEST_MINUTES + 1) <= LONGEST_MINUTES:
            yield f"{name} may run for longer than {LONGEST_MINUTES} minutes"
