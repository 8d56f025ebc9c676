"""A test double in place of a model: instant, deterministic, and named so that nobody takes it for one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tasks.engine.scripted import ScriptedDetokenizer, ScriptedRunner
from tasks.engine.types import GenerationRequest
from tasks.model.errors import ModelError


class ScriptedModel:
    """What `tasks.model.loading.load` returns, without a network behind it."""

    model_id = "scripted-test-double-not-a-model"
    revision = ""
    fingerprint = "scripted"
    precision = "scripted"
    max_positions = 2048
    eos_token_ids = frozenset({0})
    generation_defaults: Mapping[str, Any] = {"do_sample": True, "temperature": 1.0, "top_k": 50}

    def __init__(self, name: str) -> None:
        """Raises ModelError where what follows the colon is no number of seconds."""
        try:
            self._step_seconds = float(name.partition(":")[2] or 0)
        except ValueError:
            raise ModelError(
                f"the model {name} is no test double: name it scripted or scripted:0.05"
            ) from None
        self._tokenizer = byte_tokenizer()
        self.tokenizer_json: str = self._tokenizer.to_str()

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text).ids)

    def new_runner(self, num_slots: int, num_kv_tokens: int, _num_prefix_tokens: int) -> ScriptedRunner:
        return ScriptedRunner(
            num_slots=num_slots,
            num_kv_tokens=max(num_kv_tokens or 512 * num_slots, self.max_positions),
            max_positions=self.max_positions,
            eos_token_ids=self.eos_token_ids,
            before_step=lambda: time.sleep(self._step_seconds),
        )

    def new_detokenizer(self, request: GenerationRequest) -> ScriptedDetokenizer:
        return ScriptedDetokenizer(request)


def byte_tokenizer() -> Tokenizer:
    """Every byte is a token, from 1 on; 0 ends a text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<|endoftext|>": 0} | {character: id_ for id_, character in enumerate(alphabet, start=1)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
