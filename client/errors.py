"""What can go wrong with a command itself. The message is one plain line that ends with the remedy.

ClientError
├── WrongUsage           the command cannot mean what was typed
└── StartFailed          `neoserve up`, `api` or `worker` cannot start

What goes wrong with a service is a NeoServeError: client/plain.py has words and exit codes for it.
"""

from __future__ import annotations

from typing import ClassVar


class ClientError(Exception):
    """The command could not be carried out."""

    exit_code: ClassVar[int] = 1


class WrongUsage(ClientError):
    """The command cannot mean what was typed."""

    exit_code = 2


class StartFailed(ClientError):
    """A part of the service cannot start."""
