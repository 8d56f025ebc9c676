"""The real stack on a real server, watched by a real Prometheus with our files, in a hurry."""

from __future__ import annotations

import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from tests.integration.api.api_process import ApiProcess
from tests.integration.monitoring.receiver import Receiver
from tests.integration.worker.processes import Fleet, WorkerProcess
from tests.monitoring import Alertmanager, Prometheus, required_program
from tests.services import RealServer, free_port, required_valkey

ROOT = Path(__file__).parents[3]

#: In place of 15 s.
INTERVAL = "500ms"


def hurried(name: str) -> Any:
    """One of our files, with every minute a second: `for: 2m` and `[5m]`, but no threshold in seconds."""
    return yaml.safe_load(re.sub(r"\b(\d+)m\b", r"\1s", (ROOT / name).read_text(encoding="utf-8")))


class Watched:
    """API, worker, Redis exporter, Prometheus, Alertmanager and who is told, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.server = RealServer(required_valkey(), folder, "--appendonly", "yes")
        self.receiver = Receiver()
        self._folder = folder
        self._ports = {each: free_port() for each in ("api", "worker", "redis-exporter")}

    def start(self, stack: ExitStack) -> None:
        """All of it; `stack` ends it."""
        self.server.start()
        stack.callback(self.server.stop)
        self.api = ApiProcess(self.server.url, NEOSERVE_METRICS_PORT=str(self._ports["api"]))
        self.fleet = Fleet(self.server.url, self._folder)
        stack.callback(self.fleet.close)
        self.start_worker()
        self.api.start()
        stack.callback(self.api.stop)
        self._start_exporter(stack)
        self.receiver.start()
        stack.callback(self.receiver.stop)
        self.alertmanager = Alertmanager(self._own_folder("alertmanager"), self._alertmanager_file())
        self.alertmanager.start()
        stack.callback(self.alertmanager.stop)
        self.prometheus = Prometheus(self._own_folder("prometheus"), self._prometheus_file())
        self.prometheus.start()
        stack.callback(self.prometheus.stop)

    def start_worker(self) -> None:
        """Where the last one was: Prometheus finds it there."""
        self.worker: WorkerProcess = self.fleet.start_ready(
            NEOSERVE_WORKER_METRICS_PORT=str(self._ports["worker"])
        )

    def _start_exporter(self, stack: ExitStack) -> None:
        exporter = subprocess.Popen(
            [
                required_program("prometheus-redis-exporter", "redis_exporter"),
                f"--redis.addr={self.server.url}",
                f"--web.listen-address=127.0.0.1:{self._ports['redis-exporter']}",
            ],
            stderr=subprocess.DEVNULL,
        )
        stack.callback(exporter.wait)
        stack.callback(exporter.kill)

    def _own_folder(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder

    def _alertmanager_file(self) -> Path:
        """What an operator does: an address for each receiver."""
        configuration = hurried("k8s/alertmanager.yml")
        configuration["route"] |= {"group_wait": "0s", "group_interval": "1s"}
        for each in configuration["receivers"]:
            each["webhook_configs"] = [{"url": self.receiver.url(each["name"])}]
        return self._written("alertmanager.yml", configuration)

    def _prometheus_file(self) -> Path:
        self._written("alert_rules.yml", hurried("alert_rules.yml"))
        configuration = hurried("prometheus.yml")
        configuration["global"] = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
        ports = {**self._ports, "alertmanager": self.alertmanager.port}
        [told] = configuration["alerting"]["alertmanagers"]
        told["static_configs"] = [{"targets": [f"127.0.0.1:{self.alertmanager.port}"]}]
        configuration["scrape_configs"] = [
            {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{ports[name]}"]}]}
            for name in (each["job_name"] for each in configuration["scrape_configs"])
            if name in ports
        ]
        return self._written("prometheus.yml", configuration)

    def _written(self, name: str, content: Any) -> Path:
        path = self._folder / name
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path
