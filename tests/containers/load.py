"""A client that wants its jobs done, whatever happens to the stack: run as a program where the ports are.

    python -m tests.containers.load URL NUMBER

writes one JSON object: `accepted`, `succeeded`, `ended_otherwise`, `lost` (accepted, and nobody knows them
any more) and `doubled` (jobs beyond one for each idempotency key).
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

#: So long, and the service counts as gone for good.
PATIENCE_SECONDS = 120

PAUSE_SECONDS = 0.2

#: Long enough for faults to come while they run.
TOKENS = 200


class Load:
    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=20)
        self._until = time.monotonic() + PATIENCE_SECONDS

    def run(self, number: int) -> dict[str, int]:
        keys = [uuid.uuid4().hex for _ in range(number)]
        with ThreadPoolExecutor(number) as pool:
            accepted = list(pool.map(self._submit, keys))
            endings = Counter(pool.map(self._ending, accepted))
        jobs = self._all_jobs()
        return {
            "accepted": len(accepted),
            "succeeded": endings["succeeded"],
            "lost": endings["lost"],
            "ended_otherwise": number - endings["succeeded"] - endings["lost"],
            "doubled": max(0, jobs - number),
        }

    def _submit(self, key: str) -> str:
        """Until it is known that the job is recorded: the key makes that safe."""
        body = {"text": "Once upon a time", "max_new_tokens": TOKENS}

        def submitted() -> str | None:
            answer = self._client.post("/jobs", json=body, headers={"Idempotency-Key": key})
            if answer.status_code in (200, 202):
                return str(answer.json()["id"])
            require_later(answer)
            return None

        return self._until_known(submitted)

    def _ending(self, job_id: str) -> str:
        def ending() -> str | None:
            answer = self._client.get(f"/jobs/{job_id}", params={"wait": 10})
            if answer.status_code in (404, 410):
                return "lost"
            if answer.status_code != 200:
                require_later(answer)
                return None
            job: dict[str, Any] = answer.json()
            return str(job["status"]) if job["completed_at"] else None

        return self._until_known(ending)

    def _all_jobs(self) -> int:
        found, address = 0, "/jobs?limit=100"
        while address:
            page = self._client.get(address).raise_for_status().json()
            found, address = found + len(page["jobs"]), page["next"]
        return found

    def _until_known(self, ask: Callable[[], str | None]) -> str:
        while time.monotonic() < self._until:
            try:
                answer = ask()
            except httpx.TransportError:
                answer = None
            if answer is not None:
                return answer
            time.sleep(PAUSE_SECONDS)
        raise SystemExit("the service did not come back")


def require_later(answer: httpx.Response) -> None:
    """That it asks to try again; any other refusal is a mistake of this program."""
    if answer.status_code not in (429, 503):
        raise SystemExit(f"{answer.status_code}: {answer.text}")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(Load(sys.argv[1]).run(int(sys.argv[2]))))
