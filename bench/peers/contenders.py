"""Who takes part in `make bench-peers`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contender:
    name: str
    module: str  #: In bench.peers.
    arguments: tuple[str, ...] = ()  #: After the model's folder.
    #: The list of its environment in bench/peers/; None: the project's own.
    environment: str | None = "transformers"
    #: It handles requests one after another, so its rate does not depend on how many wait.
    serial: bool = False
    #: It starts a process for each request, so it takes part only where a goal compares it.
    fresh: bool = False


OURS = tuple(
    Contender(f"NeoServe engine, {precision}", "ours", (precision,), environment=None)
    for precision in ("float32", "float16")
)
ALONE = Contender("generate(), one at a time", "transformers_generate", ("alone",), serial=True)
STATIC = Contender("generate(), one static batch", "transformers_generate", ("together",))
REPLACED = Contender("replaced design, one after the other", "replaced", serial=True, fresh=True)
REPLACED_PAIR = Contender("replaced design, two at a time", "replaced", ("2",), serial=True, fresh=True)
GENAI = Contender("OpenVINO GenAI, float32", "openvino_genai", ("f32",), "openvino")

CONTENDERS = (
    *OURS,
    ALONE,
    STATIC,
    REPLACED,
    REPLACED_PAIR,
    Contender("LitServe, batches of up to 16", "litserve_batching", (), "litserve"),
    GENAI,
    Contender("OpenVINO GenAI, its default precision", "openvino_genai", ("default",), "openvino"),
    Contender("ONNX Runtime, int8", "onnxruntime_int8", (), "onnxruntime"),
    Contender("Flask + Celery + pipeline", "naive", (), "pipeline", serial=True),
)
