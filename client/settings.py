"""What the command line reads from the environment."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.jobs.settings import EnvSettings, setting


@dataclass(frozen=True, kw_only=True)
class ClientSettings(EnvSettings):
    """Settings of the command line as a client; `neoserve up` takes those of API and worker."""

    url: str = setting(
        "NEOSERVE_URL",
        "http://127.0.0.1:8080",
        "Address of the service for the commands that use one, and for the Python client.",
    )
    api_key: str = setting("NEOSERVE_API_KEY", "", "API key that these send to the service.", secret=True)
