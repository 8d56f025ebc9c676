"""The model that the repository ships is what its card says."""

from __future__ import annotations

import json

import pytest
import torch
from tokenizers import Tokenizer
from transformers import GPTNeoForCausalLM

from tasks.model.source import SHIPPED_MODEL
from tasks.model.story_corpus import END, NUM_HELD_OUT, read_stories
from tasks.model.train_stories import perplexity

FIGURES = json.loads((SHIPPED_MODEL / "figures.json").read_text())
CARD = (SHIPPED_MODEL / "README.md").read_text()


def test_the_held_out_perplexity_is_the_one_on_the_card() -> None:
    network = GPTNeoForCausalLM.from_pretrained(SHIPPED_MODEL, dtype=torch.float32)
    tokenizer = Tokenizer.from_file(str(SHIPPED_MODEL / "tokenizer.json"))
    stories = [tokenizer.encode(story).ids for story in read_stories(SHIPPED_MODEL / "held_out.txt")]
    assert len(stories) == NUM_HELD_OUT
    measured = perplexity(network, stories, tokenizer.token_to_id(END))
    assert measured == pytest.approx(FIGURES["held_out_perplexity"], rel=1e-3)
    assert f"**{FIGURES['held_out_perplexity']}**" in CARD


def test_the_card_shows_the_samples_and_the_size_of_this_model() -> None:
    for sample in FIGURES["samples"]:
        assert sample.split("\n")[0] in CARD
    assert f"{FIGURES['parameters'] / 1e6:.1f} million parameters" in CARD
    assert 1e6 <= FIGURES["parameters"] <= 4e6
    assert (SHIPPED_MODEL / "model.safetensors").stat().st_size < 10e6


def test_the_licence_of_the_held_out_stories_is_beside_them() -> None:
    licence = (SHIPPED_MODEL / "CDLA-Sharing-1.0.txt").read_text()
    assert "Community Data License Agreement" in licence
    assert "CDLA-Sharing-1.0" in CARD
