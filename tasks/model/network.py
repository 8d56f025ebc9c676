"""The network of a model folder, as transformers builds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import GPTNeoConfig, GPTNeoForCausalLM
from transformers.utils import logging as transformers_logging

from tasks.model.errors import ModelError, reason

#: What transformers raises for a configuration that does not describe these weights, or cannot be run here.
UNLOADABLE = (
    StrictDataclassError,
    ArithmeticError,
    AttributeError,
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
#: What a network is built from: whole numbers, at least 1 each.
SIZES = (
    "vocab_size",
    "hidden_size",
    "num_layers",
    "num_heads",
    "max_position_embeddings",
    "window_size",
)


def read_network_config(folder: Path) -> GPTNeoConfig:
    """The configuration with every size a usable number, and the window no larger than the model's context.
    Raises ModelError."""
    try:
        config: Any = GPTNeoConfig.from_pretrained(folder, local_files_only=True)
    except UNLOADABLE as error:
        raise _unloadable(folder, error) from error
    for name in SIZES:
        value = getattr(config, name)  # transformers has demanded a whole number.
        if value < 1:
            raise ModelError(
                f"{folder / 'config.json'}: {name} must be a whole number of at least 1 (given: {value!r}):"
                " save or fetch the model again"
            )
    # Rings of keys and values are as large as the window, and no text is longer than this.
    config.window_size = min(config.window_size, config.max_position_embeddings)
    read: GPTNeoConfig = config
    return read


def load_network(folder: Path, config: GPTNeoConfig, where: torch.device) -> GPTNeoForCausalLM:
    """In float32. Raises ModelError where the weights do not fit `config`."""
    # What is wrong with the weights is said in one line below.
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    read: Any = GPTNeoForCausalLM.from_pretrained
    try:
        network, report = read(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except UNLOADABLE as error:
        raise _unloadable(folder, error) from error
    if report["missing_keys"]:
        raise ModelError(
            f"the weights in {folder} lack {len(report['missing_keys'])} tensors that config.json asks for,"
            f" among them {min(report['missing_keys'])}: save or fetch the model again"
        )
    loaded: GPTNeoForCausalLM = network.eval().to(where)
    return loaded


def _unloadable(folder: Path, error: Exception) -> ModelError:
    return ModelError(f"{folder} cannot be loaded as GPT-Neo ({reason(error)}): check its config.json")
