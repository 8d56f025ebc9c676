"""ONNX Runtime with dynamic 8-bit weights, through optimum's generate(), as one static batch: `FOLDER`.
The model is exported and quantized once, beside FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from optimum.onnxruntime import AutoQuantizationConfig, ORTModelForCausalLM, ORTQuantizer

from bench.generate import generate
from bench.peers.protocol import Answer, serve


def exported(folder: Path) -> Path:
    target = folder.with_name(f"{folder.name}-onnx-int8")
    if not (target / "exported").exists():
        plain = folder.with_name(f"{folder.name}-onnx")
        ORTModelForCausalLM.from_pretrained(str(folder), export=True).save_pretrained(plain)
        config = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=False)
        ORTQuantizer.from_pretrained(plain).quantize(save_dir=target, quantization_config=config)
        (target / "exported").touch()
    return target


def load() -> Answer:
    target = exported(Path(sys.argv[1]))
    model = ORTModelForCausalLM.from_pretrained(str(target), file_name="model_quantized.onnx")
    return lambda prompts, new_tokens: generate(model, prompts, new_tokens).tokens


if __name__ == "__main__":
    serve(load)
