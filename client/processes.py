"""The commands behind `neoserve api` and `neoserve worker`, and what must be installed for them."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from client.errors import StartFailed
from tasks.worker.health_file import VARIABLE as HEALTH_FILE
from tasks.worker.model_names import is_hub_id, is_our_own

#: Where the packages lie. The processes run there: gunicorn and Celery import from the current folder
#: first, and somebody's project may well have an `api` or a `tasks` of its own.
ROOT = Path(__file__).resolve().parent.parent

#: Settings that name a file.
FILES = ("NEOSERVE_API_KEYS_FILE", HEALTH_FILE)

TORCH_REMEDY = "pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"


def require(part: str, modules: tuple[str, ...]) -> None:
    """Raises StartFailed, naming the command that installs them, when modules of a part are missing."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise StartFailed(
            f"The {part} needs {', '.join(missing)}, not installed. Run `pip install 'neoserve[{part}]'`."
        )


def require_api() -> None:
    require("api", ("celery", "flask", "flask_cors", "gunicorn", "limits", "pydantic", "redis", "tokenizers"))


def require_worker() -> None:
    require("worker", ("celery", "redis", "safetensors", "tokenizers", "transformers"))
    if importlib.util.find_spec("torch") is None:
        raise StartFailed(f"The worker needs torch, which is not installed here. Run `{TORCH_REMEDY}`.")


def api_command() -> list[str]:
    """The API under gunicorn, as in production; it reads everything else from the environment."""
    return [sys.executable, "-m", "gunicorn", "-c", "python:api.gunicorn_conf", "api.app:from_environment()"]


def worker_command(node: str) -> list[str]:
    """A Celery worker; `node` must differ between the workers of one machine."""
    # Workers have nothing to tell each other: without it they start a second sooner.
    alone = ("--without-mingle", "--without-gossip")
    command = (sys.executable, "-m", "celery", "--quiet", "-A", "tasks.worker.app", "worker")
    return [*command, "-n", f"{node}@%h", *alone]


def run_in_place(command: list[str], environ: Mapping[str, str]) -> NoReturn:
    """This process becomes the command, in ROOT."""
    environ = with_absolute_files(environ)
    os.chdir(ROOT)
    os.execvpe(command[0], command, environ)


def with_absolute_files(environ: Mapping[str, str]) -> dict[str, str]:
    """The files that settings name, by their absolute paths, since what reads them runs elsewhere."""
    files = {name: os.path.abspath(environ[name]) for name in FILES if environ.get(name)}
    return {**environ, **files}


def resolve_model(name: str) -> str:
    """A model folder by its absolute path, since the worker runs elsewhere; other names as they are.

    Raises StartFailed when it is no folder, no hub id and no name of our own.
    """
    if is_our_own(name):
        return name
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder.resolve())
    if is_hub_id(name):
        return name
    raise StartFailed(
        f"There is no model folder {folder}. Name a folder with config.json and model.safetensors, "
        "or a model of the hub as owner/name, with --model or NEOSERVE_MODEL."
    )
