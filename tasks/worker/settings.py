"""Settings of the worker process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from tasks.jobs.parse import parse_number, parse_port, parse_whole
from tasks.jobs.settings import Settings, setting
from tasks.model.device import Device
from tasks.model.precision import Kernels, Precision
from tasks.worker.health_file import VARIABLE

Choice = TypeVar("Choice", bound=StrEnum)


def parse_slots(text: str) -> int:
    return parse_whole(text, 1, 4096)


def parse_threads(text: str) -> int:
    return parse_whole(text, 0, 4096)


def parse_grace(text: str) -> float:
    return parse_number(text, 1, 3600)


def parse_step_limit(text: str) -> float:
    return parse_number(text, 0, 3600)


def parse_share(text: str) -> float:
    return parse_number(text, 0, 1)


def parse_kv_tokens(text: str) -> int:
    return parse_whole(text, 0, 10**8)


def one_of(names: type[Choice]) -> Callable[[str], Choice]:
    def parse(text: str) -> Choice:
        try:
            return names(text.strip().lower())
        except ValueError:
            raise ValueError(f"expected one of {', '.join(names)}") from None

    return parse


def parse_prefix_tokens(text: str) -> int:
    return parse_whole(text, 0, 10**7)


@dataclass(frozen=True, kw_only=True)
class WorkerSettings(Settings):
    """What one worker process reads from the environment, once."""

    model: str = setting(
        "NEOSERVE_MODEL",
        "stories",
        "Folder or hub id of a GPT-Neo; `stories` is the shipped one, `scripted` a test double.",
    )
    model_revision: str = setting(
        "NEOSERVE_MODEL_REVISION", "", "Commit of a model from the hub (40 hexadecimal digits)."
    )
    device: Device = setting(
        "NEOSERVE_DEVICE",
        Device.AUTO,
        "What computes the model: `cpu`, `cuda` (one GPU), `auto` (the GPU where there is one).",
        one_of(Device),
    )
    precision: Precision = setting(
        "NEOSERVE_PRECISION",
        Precision.AUTO,
        "Form of the weights: `float32`, `float16`, `float16-int8head`, `int8`; `auto` is `float16` where the"
        " processor can, else `float32`. On a GPU: `bfloat16`, which is `auto` there, or `float32`.",
        one_of(Precision),
    )
    kernels: Kernels = setting(
        "NEOSERVE_KERNELS",
        Kernels.AUTO,
        "What computes on the processor: `auto` is NeoServe's native kernels where they are built, `torch` is"
        " torch's operators alone, to compare, or should a native kernel fail.",
        one_of(Kernels),
    )
    max_batch_size: int = setting(
        "NEOSERVE_MAX_BATCH_SIZE", 16, "Texts generated at the same time, and jobs held.", parse_slots
    )
    kv_tokens: int = setting(
        "NEOSERVE_KV_TOKENS",
        0,
        "Tokens of all texts generated at the same time, prompts and new ones together, that have room in"
        " memory; 0: 512 for each text. At least the model's context. Each text takes a multiple of 128."
        " Without meaning on a GPU.",
        parse_kv_tokens,
    )
    prefix_tokens: int = setting(
        "NEOSERVE_PREFIX_TOKENS",
        2048,
        "Tokens of prompts kept for prompts that begin alike, in multiples of 128; 0 is off. 128 of them"
        " take 5 MB with a 125M model in half precision, and room that `NEOSERVE_KV_TOKENS` has to spare."
        " Without meaning on a GPU.",
        parse_prefix_tokens,
    )
    grace_seconds: float = setting(
        "NEOSERVE_GRACE_SECONDS",
        25.0,
        "From SIGTERM to exit: what still runs shortly before the end is handed back to the queue.",
        parse_grace,
    )
    step_limit: float = setting(
        "NEOSERVE_STEP_LIMIT",
        120.0,
        "Seconds that one step of the engine may take; beyond it the process ends, for another to take its"
        " place. 0 is off.",
        parse_step_limit,
    )
    memory_share: float = setting(
        "NEOSERVE_MEMORY_SHARE",
        0.95,
        "Share of the memory limit (of the cgroup, else of the machine) above which the worker drains and"
        " ends, before the kernel kills it; 0 is off.",
        parse_share,
    )
    health_file: str = setting(
        VARIABLE,
        "",
        "File by which `tasks/worker/probe.sh live` or `ready` answers; another one for each worker."
        " Empty: none.",
    )
    metrics_host: str = setting(
        "NEOSERVE_WORKER_METRICS_HOST", "127.0.0.1", "Address of the worker's metrics port."
    )
    metrics_port: int = setting(
        "NEOSERVE_WORKER_METRICS_PORT",
        9101,
        "Port of the worker's /metrics; 0 is off. If it is taken, the worker runs without.",
        parse_port,
    )
    threads: int = setting(
        "NEOSERVE_THREADS", 0, "Threads that compute the model; 0: the cores of the CPU quota.", parse_threads
    )
