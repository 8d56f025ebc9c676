"""How gunicorn serves the API: `gunicorn -c python:api.gunicorn_conf 'api.app:from_environment()'`.

One process with many threads: a waiting call costs a thread and 90 kB, and more capacity means more such
processes (pods), which share nothing but Redis. Where gunicorn is told to run more workers, they share their
metrics as well.
"""

from __future__ import annotations

import errno
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, TypeVar

from gunicorn.glogging import Logger

from api.exposure import refuse_exposed, refuse_limits_without_keys
from api.keyring import keyring_of
from api.metric_files import MetricFiles
from api.service import BACKGROUND, EXTENSION, Service
from api.settings import ApiSettings
from tasks.jobs.connection import absence
from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import JobsError
from tasks.jobs.logs import FORMATTERS
from tasks.jobs.settings import InvalidSetting
from tasks.jobs.store import JobStore

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Threads beyond the waiters, for submits, polls, probes and scrapes.
SPARE_THREADS = 64

#: For which a thread may keep the interpreter while others want it. When a thousand callers wake up together,
#: a probe waits for several of them; with Python's 5 ms it waited for 80 ms.
SWITCH_SECONDS = 0.0005

#: How long to look for Redis at the start.
LOOK_SECONDS = 3.0

#: Connections beyond the threads: kept ones, and those of clients that have not said anything yet.
SPARE_CONNECTIONS = 2048

#: Open files beyond the connections: Redis, logs, listening sockets, modules.
SPARE_FILES = 256


def or_exit(check: Callable[[], T]) -> T:
    """One clear line instead of a traceback when the environment cannot be used."""
    try:
        return check()
    except InvalidSetting as error:
        sys.exit(f"neoserve api: {error}")


settings = or_exit(lambda: ApiSettings.from_env(os.environ))

wsgi_app = "api.app:from_environment()"
bind = f"{f'[{settings.host}]' if ':' in settings.host else settings.host}:{settings.port}"
workers = 1
worker_class = "api.deadline_worker.DeadlineWorker"
threads = settings.max_waiters + SPARE_THREADS
# gunicorn stops accepting at this number. One that says nothing costs an open file, so there may be many.
worker_connections = threads + SPARE_CONNECTIONS
# Longer than common proxies keep idle connections: the side that closes first must not be the server.
keepalive = 75
# Waiters are answered at once; this is for requests in the middle of something.
graceful_timeout = 10
# The heartbeat of the accepting loop, not a limit on requests.
timeout = 60
# Its default place is under the home directory, which containers may not have; nobody uses it here.
control_socket_disable = True
# Our own lines say what there is to say; a request is logged by the app, without its query.
# A warning of gunicorn's quotes the first line of a malformed request, which may be a prompt.
loglevel = "error"


class Lines(Logger):  # type: ignore[misc]
    """gunicorn's own lines in the form of all others."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(FORMATTERS[settings.log_format]())


logger_class = Lines
proc_name = "neoserve-api"


metric_files: MetricFiles | None = None


def on_starting(server: Any) -> None:
    """Say in one line what gunicorn says in ten, five seconds later."""
    global metric_files
    # By what it listens on: that may be given on the command line as well.
    or_exit(lambda: refuse_exposed(settings, *hosts_of(server.cfg.address)))
    or_exit(lambda: refuse_limits_without_keys(settings))
    or_exit(lambda: keyring_of(settings))
    refuse_taken_port()
    metric_files = MetricFiles()
    # One connection more than there are files would end the process.
    server.cfg.set("worker_connections", max(1, min(worker_connections, raise_file_limit() - SPARE_FILES)))


def hosts_of(addresses: Sequence[Any]) -> list[str]:
    """Without the paths of sockets in the file system, which have permissions."""
    return [each[0] for each in addresses if isinstance(each, tuple)]


def refuse_taken_port() -> None:
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = "the port is taken" if error.errno == errno.EADDRINUSE else error.strerror
        sys.exit(
            f"neoserve api: cannot listen on {bind}: {reason}; set NEOSERVE_PORT or NEOSERVE_HOST differently"
        )


def raise_file_limit() -> int:
    """Many shells start programs with 1,024 open files, and each client is one. Returns what is enough, or
    what is allowed."""
    needed = worker_connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited or soft >= needed:
        return needed
    allowed = needed if hard == unlimited else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        sys.stderr.write(
            f"neoserve api: at most {allowed} open files are allowed and {needed} may be needed; "
            "raise `ulimit -n` or lower NEOSERVE_MAX_WAITERS\n"
        )
    return allowed


def pre_fork(_server: Any, worker: Any) -> None:
    """In gunicorn's master, which alone knows all workers: each has a place, and takes over its files."""
    worker.place = None
    if metric_files is None:
        return
    try:
        worker.place = metric_files.take_place()
    except OSError as error:
        sys.stderr.write(f"neoserve api: no files for metrics, which begin anew with each worker: {error}\n")


def post_fork(_server: Any, worker: Any) -> None:
    if metric_files is not None and worker.place is not None:
        metric_files.use(worker.place)


def child_exit(_server: Any, worker: Any) -> None:
    """In the master, however the worker has ended."""
    if metric_files is not None and worker.place is not None:
        metric_files.leave_place(worker.place)


def on_exit(_server: Any) -> None:
    if metric_files is not None:
        metric_files.remove()


def post_worker_init(worker: Any) -> None:
    """The app is loaded and the socket listens: start the threads beside it, then say so."""
    sys.setswitchinterval(SWITCH_SECONDS)
    app = worker.wsgi
    service: Service = app.extensions[EXTENSION]
    app.extensions[BACKGROUND].start()
    drain_on_sigterm(service)
    with time_limit(LOOK_SECONDS):  # Nobody is answered meanwhile.
        trouble = absence(service.store.client, settings.redis_url) or lack_of_durability(service.store)
    if trouble:
        logger.warning(trouble)
    host, port = worker.sockets[0].getsockname()[:2]
    sys.stdout.write(f"api ready: http://{f'[{host}]' if ':' in host else host}:{port}\n")
    sys.stdout.flush()


def lack_of_durability(store: JobStore) -> str | None:
    """One line for operators when every submit would be refused."""
    try:
        store.check_durability()
    except JobsError as error:
        return str(error)
    return None


def drain_on_sigterm(service: Service) -> None:
    stop_gunicorn = signal.getsignal(signal.SIGTERM)
    if not callable(stop_gunicorn):
        raise TypeError("gunicorn has installed no handler for SIGTERM")

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        # In a thread: a signal handler must not take locks that the interrupted code may hold.
        threading.Thread(target=service.drain, name="drain").start()
        stop_gunicorn(number, frame)

    signal.signal(signal.SIGTERM, on_sigterm)
    signal.siginterrupt(signal.SIGTERM, False)  # as gunicorn had it: requests go on undisturbed


def worker_int(worker: Any) -> None:
    """Ctrl-C and SIGQUIT: those who wait are answered all the same."""
    worker.wsgi.extensions[EXTENSION].drain()


def worker_exit(_server: Any, worker: Any) -> None:
    app = getattr(worker, "wsgi", None)  # missing when the app failed to load
    if app is not None:
        app.extensions[BACKGROUND].stop()
