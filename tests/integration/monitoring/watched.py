"""The real stack, watched by a real Prometheus with our files, in a hurry."""

from __future__ import annotations

import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from tests.integration.monitoring.deployed import ROOT, Deployed
from tests.integration.monitoring.receiver import Receiver
from tests.monitoring import Alertmanager, Prometheus, required_program
from tests.services import free_port


def hurried(name: str) -> Any:
    """One of our files, with every minute a second: `for: 2m` and `[5m]`, but no threshold in seconds."""
    return yaml.safe_load(re.sub(r"\b(\d+)m\b", r"\1s", (ROOT / name).read_text(encoding="utf-8")))


class Watched(Deployed):
    """And Redis exporter, Prometheus, Alertmanager and who is told, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.receiver = Receiver()
        self._ports["redis-exporter"] = free_port()

    def start(self, stack: ExitStack, **worker_settings: str) -> None:
        super().start(stack, **worker_settings)
        self._start_exporter(stack)
        self.receiver.start()
        stack.callback(self.receiver.stop)
        self.alertmanager = Alertmanager(self.own_folder("alertmanager"), self._alertmanager_file())
        self.alertmanager.start()
        stack.callback(self.alertmanager.stop)
        self._ports["alertmanager"] = self.alertmanager.port
        self.prometheus = Prometheus(self.own_folder("prometheus"), self._prometheus_file())
        self.prometheus.start()
        stack.callback(self.prometheus.stop)

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

    def _alertmanager_file(self) -> Path:
        """What an operator does: an address for each receiver."""
        configuration = hurried("k8s/base/alertmanager.yml")
        configuration["route"] |= {"group_wait": "0s", "group_interval": "1s"}
        for each in configuration["receivers"]:
            each["webhook_configs"] = [{"url": self.receiver.url(each["name"])}]
        return self.written("alertmanager.yml", configuration)

    def _prometheus_file(self) -> Path:
        self.written("alert_rules.yml", hurried("alert_rules.yml"))
        configuration = hurried("prometheus.yml")
        [told] = configuration["alerting"]["alertmanagers"]
        told["static_configs"] = [{"targets": [f"127.0.0.1:{self.alertmanager.port}"]}]
        return self.prometheus_file(configuration)
