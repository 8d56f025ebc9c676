"""Comparing forms of the weights on texts that are forced through them."""

from __future__ import annotations

import torch

from tasks.model.weights import pack
from tests.models import random_config, random_network
from tests.quality import forced_log_probabilities


def test_texts_longer_than_a_slot_usually_gets_run_together() -> None:
    weights = pack(random_network(random_config(vocab_size=200, max_position_embeddings=1024)))
    text = [place % 200 for place in range(600)]
    together = forced_log_probabilities(weights, [text] * 2, 3)
    assert together.shape == (2, 3, 200)
    torch.testing.assert_close(together[1], forced_log_probabilities(weights, [text], 3)[0])
