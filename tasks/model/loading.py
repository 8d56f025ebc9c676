"""Loading a GPT-Neo: from a name to everything that a worker needs of a model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from tokenizers import Tokenizer

from tasks.engine.runner import ModelRunner
from tasks.engine.types import GenerationRequest
from tasks.model.cuda_runner import CudaRunner
from tasks.model.defaults import end_tokens, generation_defaults
from tasks.model.detokenizer import ByteLevelDetokenizer, token_bytes
from tasks.model.device import Device
from tasks.model.errors import ModelError, reason
from tasks.model.folder import fingerprint, read_config, read_json, weight_files
from tasks.model.forms import choose
from tasks.model.gpt_neo import GPTNeoRunner
from tasks.model.gpu import find_device, gpu_forms
from tasks.model.magnitude import check_finite, forms_that_hold
from tasks.model.memory import return_freed_memory
from tasks.model.network import load_network, read_network_config
from tasks.model.precision import Kernels, Precision
from tasks.model.source import SHIPPED_MODEL, find
from tasks.model.threads import release_team
from tasks.model.tokenizer import check_vocabulary, read_tokenizer, tokenizer_files
from tasks.model.weights import Weights, pack

__all__ = ["SHIPPED_MODEL", "LoadedModel", "ModelError", "load"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedModel:
    """A model in memory, and what others must know of it."""

    model_id: str
    revision: str  #: Commit of the hub; empty for a local folder.
    fingerprint: str  #: The same content has the same one, wherever it was loaded from.
    weights: Weights
    tokenizer_json: str
    eos_token_ids: frozenset[int]
    generation_defaults: Mapping[str, Any]  #: Names as in a request; only what the model says.

    @property
    def max_positions(self) -> int:
        """Prompt and generated tokens together."""
        return self.weights.max_positions

    @property
    def precision(self) -> str:
        """The form in use, which may be another than the one asked for. Not part of the fingerprint."""
        return self.weights.precision.value

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(self.tokenizer_json)

    @cached_property
    def _token_bytes(self) -> list[bytes]:
        return token_bytes(self.tokenizer)

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a prompt. Safe to call from many threads."""
        return tuple(self.tokenizer.encode(text).ids)

    def new_runner(self, num_slots: int, num_kv_tokens: int = 0, num_prefix_tokens: int = 0) -> ModelRunner:
        """As GPTNeoRunner's arguments say; on a GPU every slot has room for a whole context. Raises
        ModelError where there is no memory for their keys and values."""
        try:
            return self._new_runner(num_slots, num_kv_tokens, num_prefix_tokens)
        except (OSError, MemoryError, torch.OutOfMemoryError) as error:
            raise ModelError(
                f"there is no memory for the keys and values of NEOSERVE_MAX_BATCH_SIZE={num_slots},"
                f" NEOSERVE_KV_TOKENS={num_kv_tokens} and NEOSERVE_PREFIX_TOKENS={num_prefix_tokens}"
                f" ({reason(error)}): make them smaller"
            ) from error

    def _new_runner(self, num_slots: int, num_kv_tokens: int, num_prefix_tokens: int) -> ModelRunner:
        if self.weights.token_embedding.is_cuda:
            return CudaRunner(self.weights, num_slots=num_slots, eos_token_ids=self.eos_token_ids)
        if 0 < num_kv_tokens < self.max_positions:
            logger.warning(
                "NEOSERVE_KV_TOKENS=%d is less than the model's context: there is room for %d tokens",
                num_kv_tokens,
                self.max_positions,
            )
        return GPTNeoRunner(
            self.weights,
            num_slots=num_slots,
            eos_token_ids=self.eos_token_ids,
            num_kv_tokens=num_kv_tokens,
            num_prefix_tokens=num_prefix_tokens,
        )

    def new_detokenizer(self, _request: GenerationRequest) -> ByteLevelDetokenizer:
        return ByteLevelDetokenizer(self._token_bytes)


def load(
    name: str,
    *,
    revision: str | None = None,
    precision: Precision = Precision.FLOAT32,
    kernels: Kernels = Kernels.AUTO,
    device: Device = Device.CPU,
) -> LoadedModel:
    """Load a GPT-Neo from a folder, the hub ("owner/name", with a commit as `revision`) or, for "stories" and
    the empty name, the one that is shipped. Safetensors only; code from the folder is never run. Where the
    operators of `precision` are missing, the weights are float32; a GPU has `precision` or refuses it.

    Raises ModelError, which names the path and the remedy.
    """
    where = find_device(device)
    forms = gpu_forms(precision) if where.type == "cuda" else choose(precision, kernels)
    source = find(name, revision)
    folder = source.folder
    config = read_config(folder)
    files = weight_files(folder)
    tokenizer_json = read_tokenizer(folder)
    network_config = read_network_config(folder)
    check_vocabulary(Tokenizer.from_str(tokenizer_json), network_config.vocab_size, folder)
    generation_path = folder / "generation_config.json"
    generation = read_json(generation_path) if generation_path.exists() else {}
    ends = end_tokens(folder, config, generation, network_config.vocab_size)
    defaults = generation_defaults(folder, config, generation)
    _use_one_interop_thread()
    network = load_network(folder, network_config, where)
    check_finite(network, folder)
    weights = pack(network, forms_that_hold(network, folder, forms, precision, kernels))
    del network
    return_freed_memory()
    release_team()  # From here on the engine's thread computes.
    logger.info(
        "model %s is held in %s on %s, computed by %s",
        source.model_id,
        weights.precision,
        where,
        "native kernels" if weights.native else "torch",
    )
    described = [folder / "config.json", *([generation_path] if generation else [])]
    return LoadedModel(
        model_id=source.model_id,
        revision=source.revision,
        fingerprint=fingerprint([*described, *files, *tokenizer_files(folder)]),
        weights=weights,
        tokenizer_json=tokenizer_json,
        eos_token_ids=ends,
        generation_defaults=defaults,
    )


def _use_one_interop_thread() -> None:
    """Steps run one after the other: threads beside those of OpenMP would only take their cores."""
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)  # A second call is an error.
