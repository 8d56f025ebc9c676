"""What a model folder says of generation: where texts end, and the values that requests leave open."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tasks.model.errors import ModelError

logger = logging.getLogger(__name__)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


#: The parameters of a request for which a model may bring its own defaults, and what each must be: as the API
#: demands of a request.
USABLE: Mapping[str, Callable[[Any], bool]] = {
    "do_sample": lambda value: isinstance(value, bool),
    "temperature": lambda value: _is_number(value) and 0.001 <= value <= 100,
    "top_k": lambda value: _is_whole(value) and 0 <= value <= 1_000_000,
    "top_p": lambda value: _is_number(value) and 0 < value <= 1,
    "repetition_penalty": lambda value: _is_number(value) and 0.01 <= value <= 100,
    "max_length": lambda value: _is_whole(value) and value >= 1,
    "max_new_tokens": lambda value: _is_whole(value) and value >= 1,
}
#: What transformers takes where a model says nothing.
LIBRARY_DEFAULTS = {"top_k": 50}
#: GPT-2's end mark, which GPT-Neo has where its files name none.
USUAL_END = 50256


def generation_defaults(
    folder: Path, config: Mapping[str, Any], generation: Mapping[str, Any]
) -> dict[str, Any]:
    """By the names of a request. Values that no request may have are left out, and logged. Raises ModelError
    where task_specific_params cannot be read."""
    task = _task_params(folder, config)
    return (
        LIBRARY_DEFAULTS
        | _usable(folder / "generation_config.json", generation)
        | _usable(folder / "config.json", task)
    )


def _task_params(folder: Path, config: Mapping[str, Any]) -> Mapping[str, Any]:
    params = config.get("task_specific_params") or {}
    task = (params.get("text-generation") or {}) if isinstance(params, dict) else params
    if not isinstance(task, dict):
        raise ModelError(
            f"{folder / 'config.json'}: task_specific_params, and its text-generation, must be objects:"
            " correct or remove it"
        )
    return task


def _usable(file: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: values[name] for name in USABLE if values.get(name) is not None}
    for name, value in given.items():
        if not USABLE[name](value):
            logger.warning("%s: %s cannot be %r: this default is left out", file, name, value)
    return {name: value for name, value in given.items() if USABLE[name](value)}


def end_tokens(
    folder: Path, config: Mapping[str, Any], generation: Mapping[str, Any], vocabulary_size: int
) -> frozenset[int]:
    """The tokens that end a text. Raises ModelError where one is not of the vocabulary."""
    named_by = next((each for each in (generation, config) if "eos_token_id" in each), None)
    if named_by is None:
        return frozenset({USUAL_END})
    value = named_by["eos_token_id"]
    ids = value if isinstance(value, list) else [] if value is None else [value]
    if not all(_is_whole(each) and 0 <= each < vocabulary_size for each in ids):
        name = "generation_config.json" if named_by is generation else "config.json"
        raise ModelError(
            f"{folder / name}: eos_token_id must be tokens from 0 to {vocabulary_size - 1} (given:"
            f" {value!r}): save or fetch the model again"
        )
    return frozenset(ids)
