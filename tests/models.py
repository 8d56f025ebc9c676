"""Models made on the spot, for tests and benchmarks."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPTNeoConfig, GPTNeoForCausalLM

GPT2_TOKENIZER = Path(__file__).parent / "data" / "gpt2-tokenizer"

#: Hidden size, layers (alternating global and local), heads, spread of the weights: chosen so that attention
#: is neither flat nor all on one token, hence every error in it changes the text.
SIZES = {"tiny": (64, 4, 4, 0.1), "125m": (768, 12, 12, 0.02)}


def build_random_model(folder: Path | str, size: Literal["tiny", "125m"] = "tiny", *, seed: int = 0) -> Path:
    """Write a GPT-Neo with random weights and GPT-2's tokenizer to `folder`, as `from_pretrained` reads it.

    It costs what a trained model of its size costs; its text is noise.
    """
    folder = Path(folder)
    random_network(random_config(size), seed=seed).save_pretrained(folder)
    for file in GPT2_TOKENIZER.iterdir():
        shutil.copyfile(file, folder / file.name)
    return folder


def build_small_model(folder: Path, **changes: Any) -> Path:
    """A model for quick tests: about 300 tokens, 128 positions, a window of 16 that short texts exceed."""
    tokenizer = small_tokenizer()
    values = {
        "vocab_size": tokenizer.get_vocab_size(),
        "bos_token_id": 0,
        "eos_token_id": 0,
        "max_position_embeddings": 128,
        "window_size": 16,
    }
    random_network(random_config("tiny", **{**values, **changes})).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def random_config(size: Literal["tiny", "125m"] = "tiny", **changes: Any) -> GPTNeoConfig:
    hidden_size, num_layers, num_heads, spread = SIZES[size]
    values: dict[str, Any] = {
        "hidden_size": hidden_size,
        "num_layers": num_layers,
        "num_heads": num_heads,
        "initializer_range": spread,
        "attention_types": [[["global", "local"], num_layers // 2]],
        "task_specific_params": {
            "text-generation": {"do_sample": True, "temperature": 0.9, "max_length": 50}
        },
    }
    return GPTNeoConfig(**{**values, **changes})


def random_network(config: GPTNeoConfig, *, seed: int = 0) -> GPTNeoForCausalLM:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = GPTNeoForCausalLM(config)
        network.train(False)
        return network


def break_a_token(network: GPTNeoForCausalLM, spared: Collection[int]) -> int:
    """One below 100 that is none of `spared`: texts that hold it get numbers that are none, and no others."""
    broken = next(token for token in range(1, 100) if token not in spared)
    # With rows of its own for the head; they shared them.
    network.lm_head.weight = torch.nn.Parameter(network.lm_head.weight.detach().clone())
    with torch.no_grad():
        network.transformer.wte.weight[broken] = float("nan")
    return broken


def small_tokenizer() -> Tokenizer:
    """A byte-level BPE of about 300 tokens; the end mark has id 0."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        ["The cat saw the dog and the dog saw the cat. Naïve ☃ snow — 雪だるま"], trainer
    )
    return tokenizer
