"""The whole service in one terminal: start in order, prove it with one prediction, serve, end in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from client import ports
from client.broker_check import require_store
from client.console import Console
from client.data_folder import DataFolder
from client.embedded_server import EmbeddedServer, find_server
from client.errors import StartFailed
from client.plain import in_words
from client.plan import Plan
from client.settings import ClientSettings
from client.stop_signals import StopSignals
from client.supervisor import Kept, Supervisor
from neoserve import Job, NeoServe, NeoServeError, Overloaded, Unauthorized

TICK_SECONDS = 0.1

#: A slow start is said to be one this often.
STILL_WAITING_SECONDS = 15.0

#: The API answers its waiters at once when it is asked to end.
API_STOP_SECONDS = 10.0

SERVER_STOP_SECONDS = 10.0
PROMETHEUS_STOP_SECONDS = 10.0

#: A loaded machine and a large model need some of it; whoever needs more has a backlog.
FIRST_PREDICTION_SECONDS = 60.0


def predict_first(url: str) -> Job:
    with NeoServe(url, patience=0) as service:
        return service.predict("Once upon a time", max_new_tokens=40, priority="high")


def in_background(call: Callable[[], Job]) -> Future[Job]:
    """The call in a daemon thread: unlike an executor's, it never delays the end of the process."""
    future: Future[Job] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except NeoServeError as error:
            future.set_exception(error)

    threading.Thread(target=run, name="first-prediction", daemon=True).start()
    return future


class StopRequested(Exception):
    """Somebody asked `neoserve up` to end."""


class Stack:
    """One `neoserve up`. `run` returns when it was asked to end, and leaves no process behind."""

    def __init__(self, plan: Plan, console: Console, signals: StopSignals) -> None:
        self._plan = plan
        self._console = console
        self._signals = signals
        self._supervisor = Supervisor(console)
        self._folder: DataFolder | None = None
        self._server: Kept | None = None
        self._api: Kept | None = None
        self._workers: list[Kept] = []
        self._prometheus: Kept | None = None
        self._started_at = time.monotonic()

    def run(self) -> None:
        """Raises StartFailed when a part cannot start or the first prediction fails."""
        with ExitStack() as scratch:
            try:
                self._start(scratch)
                self._predict_once()
                self._supervisor.starting = False
                self._announce()
                self._serve_until(lambda: False)
            except StopRequested:
                self._console.say("stopping: what runs is finished first; Ctrl-C again to hurry")
            finally:
                self._drain()

    def _start(self, scratch: ExitStack) -> None:
        plan = self._plan
        # The lock first: what a killed predecessor left behind may still hold the port for a moment.
        if not plan.redis_url:
            self._folder = DataFolder(plan.data)
            self._folder.lock()
        ports.require_free(plan.api.port, plan.api.host)
        if self._folder is None:
            self._console.say(f"{require_store(plan.redis_url)} keeps the jobs, as REDIS_URL says")
            url = plan.redis_url
            # Only here: where there is a data folder, what a killed process leaves behind is found again.
            folder = Path(scratch.enter_context(TemporaryDirectory(prefix="neoserve-")))
        else:
            url = self._start_server(self._folder)
            folder = self._folder.path
        inherited = (self._folder.descriptor,) if self._folder else ()
        workers = "a worker" if plan.num_workers == 1 else f"{plan.num_workers} workers"
        self._console.say(f"starting the API and {workers} with the model {plan.worker.model}")
        self._api = self._supervisor.add(plan.api_spec(url, inherited))
        self._workers = [self._supervisor.add(spec) for spec in plan.worker_specs(url, inherited, folder)]
        if plan.monitoring is not None:
            self._prometheus = self._supervisor.add(plan.monitoring.spec(folder / "prometheus", inherited))
        self._wait_for([*self._children(), *([self._prometheus] if self._prometheus else [])])

    def _start_server(self, folder: DataFolder) -> str:
        """Returns the URL of the embedded server when it is ready."""
        server = EmbeddedServer(folder=folder, binary=find_server())
        self._server = self._supervisor.add(server.spec())
        self._wait_for([self._server])
        self._console.say(f"{server.binary.name} on 127.0.0.1:{server.port} keeps the jobs in {folder.path}")
        return server.url

    def _predict_once(self) -> None:
        """One real prediction through the whole path, unless earlier jobs are in its way. Raises StartFailed
        when it fails."""
        started = time.monotonic()
        prediction = in_background(lambda: predict_first(self._plan.url))
        patient_until = started + FIRST_PREDICTION_SECONDS
        self._serve_until(
            lambda: prediction.done() or time.monotonic() > patient_until, "the first prediction"
        )
        if not prediction.done():
            self._console.say("the first prediction waits behind earlier jobs: serving those")
            return
        try:
            job = prediction.result()
        except Overloaded:
            self._console.say("no first prediction, the queue is full of earlier jobs: serving those")
            return
        except Unauthorized:
            self._console.say("no first prediction, the API asks for a key: name one with NEOSERVE_API_KEY")
            return
        except NeoServeError as error:
            raise StartFailed(f"The first prediction failed. {in_words(error)}") from None
        seconds = time.monotonic() - started
        self._console.say(f"first prediction: {job.num_tokens} tokens in {seconds:.2f} s")
        self._console.block(job.text)

    def _announce(self) -> None:
        plan = self._plan
        metrics = [
            f"{kept.metrics_port} ({kept.spec.name})" for kept in self._children() if kept.metrics_port
        ]
        if metrics:
            self._console.say(f"metrics on port {', '.join(metrics)}")
        if plan.monitoring is not None:
            self._console.say(f"Prometheus, with the alerts, on {plan.monitoring.url}")
        seconds = time.monotonic() - self._started_at
        self._console.say(f"ready on {plan.url} after {seconds:.1f} s. Ctrl-C ends it.")
        self._console.say("open it in a browser, or try:")
        key = '-H "Authorization: Bearer $NEOSERVE_API_KEY" ' if plan.asks_for_keys else ""
        lines = [
            f"curl -X POST {key}-H 'Content-Type: application/json' "
            f'-d \'{{"text":"Hello, world!","max_length":50}}\' {plan.url}/predict'
        ]
        if plan.url != ClientSettings().url:
            lines.append(f'neoserve predict "Once upon a time" --url {plan.url}')
        self._console.block("\n".join(lines))

    def _children(self) -> list[Kept]:
        return [*([self._api] if self._api else []), *self._workers]

    def _wait_for(self, awaited: list[Kept]) -> None:
        self._serve_until(
            lambda: all(kept.ready for kept in awaited),
            " and ".join(kept.spec.name for kept in awaited),
        )

    def _serve_until(self, done: Callable[[], bool], what: str = "") -> None:
        """Keep the children running until `done`. Raises StopRequested on the first signal."""
        started = time.monotonic()
        say_at = started + STILL_WAITING_SECONDS
        while not done():
            if self._signals.asked:
                raise StopRequested
            self._supervisor.tick()
            if what and time.monotonic() >= say_at:
                say_at += STILL_WAITING_SECONDS
                self._console.say(f"still waiting for {what} ({time.monotonic() - started:.0f} s)")
            time.sleep(TICK_SECONDS)

    def _hurried(self) -> bool:
        return self._signals.hurried

    def _drain(self) -> None:
        """The API first, so that nothing new comes in; then the workers; then the server, which saves."""
        try:
            if self._api is not None:
                self._supervisor.stop([self._api], API_STOP_SECONDS, self._hurried)
            self._supervisor.stop(self._workers, self._plan.worker_stop_seconds, self._hurried)
            if self._prometheus is not None:
                self._supervisor.stop([self._prometheus], PROMETHEUS_STOP_SECONDS, self._hurried)
            if self._server is not None:
                self._supervisor.stop([self._server], SERVER_STOP_SECONDS, lambda: self._signals.count > 2)
        finally:
            self._supervisor.kill_all()
            if self._folder is not None:
                self._folder.release()
        if self._server or self._api:
            self._console.say("stopped; nothing is left running")
