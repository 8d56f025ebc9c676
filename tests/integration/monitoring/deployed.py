"""The real stack on a real server, with ports for its metrics."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from tests.integration.api.api_process import ApiProcess
from tests.integration.worker.processes import Fleet, WorkerProcess
from tests.services import RealServer, free_port, required_valkey

ROOT = Path(__file__).parents[3]

#: In place of 15 s.
INTERVAL = "500ms"


class Deployed:
    """API, worker and server, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.server = RealServer(required_valkey(), folder, "--appendonly", "yes")
        self._folder = folder
        self._ports = {each: free_port() for each in ("api", "worker")}

    def start(self, stack: ExitStack, **worker_settings: str) -> None:
        """All of it; `stack` ends it."""
        self.server.start()
        stack.callback(self.server.stop)
        self.api = ApiProcess(self.server.url, NEOSERVE_METRICS_PORT=str(self._ports["api"]))
        self.fleet = Fleet(self.server.url, self._folder)
        stack.callback(self.fleet.close)
        self.start_worker(**worker_settings)
        self.api.start()
        stack.callback(self.api.stop)

    def start_worker(self, **settings: str) -> None:
        """Where the last one was: Prometheus finds it there."""
        self.worker: WorkerProcess = self.fleet.start_ready(
            NEOSERVE_WORKER_METRICS_PORT=str(self._ports["worker"]), **settings
        )

    def prometheus_file(self, configuration: dict[str, Any]) -> Path:
        """prometheus.yml, read more often and with the addresses of those that are there."""
        configuration["global"] = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
        configuration["scrape_configs"] = [
            {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{self._ports[name]}"]}]}
            for name in (each["job_name"] for each in configuration["scrape_configs"])
            if name in self._ports
        ]
        return self.written("prometheus.yml", configuration)

    def own_folder(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder

    def written(self, name: str, content: Any) -> Path:
        path = self._folder / name
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path
