"""What the worker needs of a model, and where it gets it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from tasks.engine.runner import Detokenizer, ModelRunner
from tasks.engine.types import GenerationRequest
from tasks.worker.cores import num_cores
from tasks.worker.model_names import is_scripted
from tasks.worker.scripted_model import ScriptedModel
from tasks.worker.settings import WorkerSettings


class ServedModel(Protocol):
    @property
    def model_id(self) -> str: ...
    @property
    def revision(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def precision(self) -> str:
        """The form in which it computes here; for people."""

    @property
    def tokenizer_json(self) -> str: ...
    @property
    def max_positions(self) -> int: ...
    @property
    def eos_token_ids(self) -> frozenset[int]: ...
    @property
    def generation_defaults(self) -> Mapping[str, Any]: ...

    def encode(self, text: str) -> tuple[int, ...]: ...
    def new_runner(self, num_slots: int, num_kv_tokens: int, num_prefix_tokens: int) -> ModelRunner: ...
    def new_detokenizer(self, request: GenerationRequest) -> Detokenizer: ...


#: How often a thread that waits for its team looks before it goes to sleep: about 0.1 ms in all. libgomp's
#: own count keeps it awake for milliseconds, on a core where the thread that it waits for could go on; one
#: other busy program then costs far more than the core it takes.
SPIN_COUNT = "2000"


def use_threads(number: int) -> int:
    """Let the tensor library compute with `number` threads, 0 meaning the cores of the CPU quota.

    By itself it counts the host's cores, which are more than a container's quota lets run; so this must be
    called before it is imported. Returns the number.
    """
    threads = number or num_cores()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return threads


def load_model(settings: WorkerSettings) -> ServedModel:
    """Raises tasks.model.errors.ModelError."""
    if is_scripted(settings.model):
        return ScriptedModel(settings.model)
    # Imported here: it brings the tensor library, which `use_threads` must precede and commands such as
    # `celery inspect` do without.
    from tasks.model.loading import load

    return load(
        settings.model,
        revision=settings.model_revision or None,
        precision=settings.precision,
        kernels=settings.kernels,
        device=settings.device,
    )
