"""What `neoserve up` will run, worked out and checked before anything is started."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.exposure import refuse_exposed, refuse_limits_without_keys
from api.settings import ApiSettings
from client import ports
from client.child import ChildSpec
from client.data_folder import default_folder
from client.errors import StartFailed
from client.monitoring import Monitoring, require_prometheus, require_rules
from client.processes import (
    ROOT,
    api_command,
    require_api,
    require_worker,
    resolve_model,
    with_absolute_files,
    worker_command,
)
from tasks.worker.health_file import VARIABLE
from tasks.worker.settings import WorkerSettings

WORKER_MARGIN_SECONDS = 10.0

#: Where Prometheus listens by itself.
PROMETHEUS_PORT = 9090


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The settings of every process of one `neoserve up`."""

    api: ApiSettings
    worker: WorkerSettings
    num_workers: int
    redis_url: str  #: Empty: the embedded server.
    data: Path
    environ: Mapping[str, str]
    api_metrics_port: int
    worker_metrics_ports: tuple[int, ...]
    monitoring: Monitoring | None

    @property
    def asks_for_keys(self) -> bool:
        return bool(self.api.api_keys or self.api.api_keys_file)

    @property
    def url(self) -> str:
        """Where this machine reaches the API."""
        return f"http://{reachable(self.api.host)}:{self.api.port}"

    def api_spec(self, redis_url: str, keeps_open: tuple[int, ...]) -> ChildSpec:
        return ChildSpec(
            name="api",
            command=api_command(),
            ready="api ready: ",
            metrics_port=self.api_metrics_port,
            environ={
                **self.environ,
                "REDIS_URL": redis_url,
                "NEOSERVE_METRICS_PORT": str(self.api_metrics_port),
            },
            folder=ROOT,
            keeps_open=keeps_open,
        )

    @property
    def worker_stop_seconds(self) -> float:
        """A worker ends within its grace period, and a little for unloading."""
        return self.worker.grace_seconds + WORKER_MARGIN_SECONDS

    def health_file(self, folder: Path, number: int) -> Path:
        """One for each worker: the file that is set, or one in `folder`."""
        file = Path(self.worker.health_file or folder / "health")
        return file if self.num_workers == 1 else file.with_name(f"{file.name}-{number}")

    def worker_specs(self, redis_url: str, keeps_open: tuple[int, ...], folder: Path) -> list[ChildSpec]:
        """`folder` is for their health files."""
        return [
            ChildSpec(
                name="worker" if self.num_workers == 1 else f"worker-{number}",
                command=worker_command(f"neoserve-{os.getpid()}-{number}"),
                ready="worker ready: ",
                metrics_port=port,
                environ={
                    **self.environ,
                    "REDIS_URL": redis_url,
                    "NEOSERVE_WORKER_METRICS_PORT": str(port),
                    VARIABLE: str(self.health_file(folder, number)),
                },
                health_file=self.health_file(folder, number),
                stop_seconds=self.worker_stop_seconds,
                folder=ROOT,
                keeps_open=keeps_open,
            )
            for number, port in enumerate(self.worker_metrics_ports, start=1)
        ]


def make_plan(
    *,
    environ: Mapping[str, str],
    port: int | None,
    host: str | None,
    workers: int,
    model: str | None,
    data: Path | None,
    monitoring: bool = False,
) -> Plan:
    """What the options say goes before the environment. Raises InvalidSetting and StartFailed."""
    require_api()
    require_worker()
    chosen = {
        "NEOSERVE_PORT": None if port is None else str(port),
        "NEOSERVE_HOST": host,
        "NEOSERVE_MODEL": model,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    merged = with_absolute_files({**environ, **given})
    worker = WorkerSettings.from_env(merged)
    merged["NEOSERVE_MODEL"] = resolve_model(worker.model)
    merged["PYTHONUNBUFFERED"] = "1"
    if workers > 1 and not worker.threads:
        # Imported here: only now is it known that Celery is installed, which knows quotas.
        from tasks.worker.cores import num_cores

        merged["NEOSERVE_THREADS"] = str(max(1, num_cores() // workers))
    api = ApiSettings.from_env(merged)
    # The API asks itself again where it listens; here nothing has been started yet.
    refuse_exposed(api, api.host)
    refuse_limits_without_keys(api)
    api_metrics_port, *worker_metrics_ports = metrics_ports(api, worker, workers)
    return Plan(
        api=api,
        worker=worker,
        num_workers=workers,
        redis_url=environ.get("REDIS_URL", ""),
        data=(data or default_folder(api.port, environ)).absolute(),
        environ=merged,
        api_metrics_port=api_metrics_port,
        worker_metrics_ports=tuple(worker_metrics_ports),
        monitoring=plan_monitoring(api, worker, api_metrics_port, worker_metrics_ports)
        if monitoring
        else None,
    )


def plan_monitoring(
    api: ApiSettings, worker: WorkerSettings, api_port: int, worker_ports: Sequence[int]
) -> Monitoring:
    """Raises StartFailed where there is no Prometheus or nothing for it to look at."""
    binary, rules = require_prometheus(), require_rules()
    for name, port in (
        ("NEOSERVE_METRICS_PORT", api_port),
        ("NEOSERVE_WORKER_METRICS_PORT", worker_ports[0]),
    ):
        if not port:
            raise StartFailed(f"--monitoring needs the metrics that {name}=0 turns off. Unset it.")
    return Monitoring(
        binary=binary,
        rules=rules,
        port=ports.first_free(PROMETHEUS_PORT, {api.port, api_port, *worker_ports}),
        api=f"{reachable(api.host)}:{api_port}",
        workers=[f"{reachable(worker.metrics_host)}:{port}" for port in worker_ports],
    )


def reachable(host: str) -> str:
    """By which this machine reaches what listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 compared


def metrics_ports(api: ApiSettings, worker: WorkerSettings, workers: int) -> list[int]:
    """The API's, then one for each worker: as set, or the next free one; 0 where metrics are off."""
    taken = {api.port}
    result = []
    for start in [api.metrics_port, *[worker.metrics_port] * workers]:
        found = ports.first_free(start, taken)
        taken.add(found)
        result.append(found)
    return result
