"""What can go wrong with a model.

ModelError
└── BrokenLogits
"""

from __future__ import annotations

#: Longest part of another library's message that we pass on.
MAX_REASON = 300


class ModelError(Exception):
    """The model cannot be loaded; the message names the path and the remedy."""

    code = "model_not_loadable"


class BrokenLogits(ModelError):
    """The model computed something that is not a number for this text."""

    code = "broken_logits"

    def __init__(self) -> None:
        super().__init__(
            "The model computed something that is not a number for this text; if that happens with one model"
            " often, serve it with NEOSERVE_PRECISION=float32, which holds larger numbers"
        )


def reason(error: Exception) -> str:
    """What another library said, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= MAX_REASON else text[:MAX_REASON] + "…"
