"""Prometheus beside `neoserve up --monitoring`: where it is found, what it scrapes, how it runs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from client.child import ChildSpec
from client.errors import StartFailed
from client.processes import ROOT

CONFIG_FILE = "prometheus.json"

#: Where `make test` unpacks what this machine does not have.
UNPACKED = Path(sys.prefix) / "share" / "monitoring"

#: In a checkout, and in an environment that NeoServe was installed into.
RULES = (ROOT / "alert_rules.yml", Path(sys.prefix) / "share" / "neoserve" / "alert_rules.yml")

#: Somebody watches: they want to see it soon.
SCRAPE_INTERVAL = "5s"

DISK_LIMIT = "1GB"


def find_program(*names: str) -> Path | None:
    """The first of these on PATH, else of those that `make test` has unpacked."""
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=str(UNPACKED / "usr" / "bin"))
        if found is not None:
            return Path(found)
    return None


def require_prometheus() -> Path:
    """Raises StartFailed, with the remedy, when there is none."""
    found = find_program("prometheus")
    if found is None:
        raise StartFailed(
            "--monitoring needs Prometheus, which was not found. Install it (`apt install prometheus`, "
            "`brew install prometheus`) so that `prometheus` is on PATH, or leave the option out."
        )
    return found


def require_rules() -> Path:
    """Raises StartFailed when the alerting rules were not installed."""
    for path in RULES:
        if path.is_file():
            return path
    raise StartFailed(f"--monitoring needs the rules, and {RULES[0]} is not there. Install NeoServe again.")


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """One Prometheus that watches one `neoserve up`; it listens on the loopback address."""

    binary: Path
    rules: Path
    port: int
    api: str  #: host:port of its metrics.
    workers: Sequence[str]  #: The same of each.

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def spec(self, folder: Path, keeps_open: tuple[int, ...]) -> ChildSpec:
        """Writes its configuration into `folder`, where its data goes too, and says how to run it."""
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / CONFIG_FILE).write_text(json.dumps(self._configuration(), indent=2), encoding="utf-8")
        return ChildSpec(
            name="prometheus",
            command=[
                str(self.binary),
                f"--config.file={CONFIG_FILE}",
                "--storage.tsdb.path=data",
                f"--storage.tsdb.retention.size={DISK_LIMIT}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                *self._page_options(),
            ],
            ready="Server is ready to receive web requests",
            folder=folder,
            keeps_open=keeps_open,
            quiet=True,
        )

    def _configuration(self) -> dict[str, object]:
        """JSON is YAML too. The rules go by the names of the jobs."""
        targets = {"api": [self.api], "worker": list(self.workers), "prometheus": [f"127.0.0.1:{self.port}"]}
        return {
            "global": {"scrape_interval": SCRAPE_INTERVAL, "evaluation_interval": SCRAPE_INTERVAL},
            "rule_files": [str(self.rules)],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": addresses}]}
                for job, addresses in targets.items()
            ],
        }

    def _page_options(self) -> list[str]:
        """Debian's program looks for the files of its pages below /usr, also where it was only unpacked."""
        pages = UNPACKED / "usr" / "share" / "prometheus" / "web"
        return [f"--web.local-assets={pages}/"] if UNPACKED in self.binary.parents else []
