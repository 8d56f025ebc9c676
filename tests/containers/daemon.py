"""A Docker engine of the tests' own, which leaves nothing behind in the machine's network.

It runs either in a network namespace, where it makes its bridges and its firewall rules as always, or in the
machine's network, where it can fetch what a build needs, but then without bridge or rules.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from enum import Enum
from pathlib import Path
from time import monotonic, sleep

from .command import CommandFailed, run

START_SECONDS = 60
STOP_SECONDS = 60

#: More than the layers of both images and of all stand-ins.
KEPT_LAYERS = "12GB"


class Network(Enum):
    MACHINE = "machine"
    NAMESPACE = "namespace"


class Daemon:
    def __init__(self, folder: Path) -> None:
        """`folder` keeps images and layers; it is this object's alone."""
        self._folder = folder
        self.namespace = f"neoserve-{hashlib.sha256(bytes(folder)).hexdigest()[:8]}"
        # Not in the folder: the path of a socket must be short.
        self._run = Path("/run", self.namespace)
        self.address = f"unix://{self._run}/docker.sock"
        self._pid_file = self._run / "dockerd.pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._stop_forgotten()
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def inside(self) -> tuple[str, ...]:
        """Before a command: runs it in the namespace."""
        return ("nsenter", f"--net=/run/netns/{self.namespace}")

    def start(self, network: Network) -> None:
        """Raises CommandFailed where it does not answer in time."""
        self._run.mkdir(exist_ok=True)
        # With these it would make the last run's bridges anew, in whatever network it is in now.
        shutil.rmtree(self._folder / "data/network", ignore_errors=True)
        shutil.rmtree(self._folder / "data/containers", ignore_errors=True)
        if network is Network.NAMESPACE:
            run("ip", "netns", "add", self.namespace)
            run(*self.inside, "ip", "link", "set", "lo", "up")
        command = self._command(network)
        with (self._folder / "dockerd.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or monotonic() > deadline:
                said = (self._folder / "dockerd.log").read_text(errors="replace")
                raise CommandFailed(tuple(command), "the engine does not answer", said)
            sleep(0.1)

    def stop(self) -> None:
        """With all its containers; what is in the folder stays."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        shutil.rmtree(self._run, ignore_errors=True)
        if Path("/run/netns", self.namespace).exists():
            run("ip", "netns", "del", self.namespace)

    def _command(self, network: Network) -> list[str]:
        configuration = self._folder / "daemon.json"
        kept = {"builder": {"gc": {"enabled": True, "defaultKeepStorage": KEPT_LAYERS}}}
        configuration.write_text(json.dumps(kept))
        command = ["dockerd", "--config-file", str(configuration), "--data-root", str(self._folder / "data")]
        command += ["--exec-root", str(self._run / "exec"), "--pidfile", str(self._pid_file)]
        command += ["--host", self.address, "--storage-driver", "overlay2"]
        if network is Network.NAMESPACE:
            # `ip netns exec` would mount /sys anew, without the control groups.
            return [*self.inside, *command]
        closed = ("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
        return [*command, "--bridge=none", *closed]

    def _answers(self) -> bool:
        try:
            run("docker", "--host", self.address, "info", timeout=10)
        except CommandFailed:
            return False
        return True

    def _stop_forgotten(self) -> None:
        """That of a run which was killed."""
        with suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = int(self._pid_file.read_text())
            if str(self._folder).encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
                return
            os.kill(pid, signal.SIGTERM)
            deadline = monotonic() + STOP_SECONDS
            while Path(f"/proc/{pid}").exists() and monotonic() < deadline:
                sleep(0.1)
        if Path("/run/netns", self.namespace).exists():
            run("ip", "netns", "del", self.namespace)
