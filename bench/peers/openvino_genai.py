"""OpenVINO GenAI's continuous batching: `FOLDER f32`, or `FOLDER default` for the precision that it chooses
itself (bf16 on processors with matrix units). The model is exported once, beside FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy
import openvino
import openvino_genai
from optimum.intel import OVModelForCausalLM

from bench.peers.protocol import Answer, Prompts, serve

#: Gigabytes for keys and values, far more than the largest case needs.
CACHE_GB = 4


def exported(folder: Path) -> Path:
    target = folder.with_name(f"{folder.name}-openvino")
    if not (target / "exported").exists():
        OVModelForCausalLM.from_pretrained(str(folder), export=True, load_in_8bit=False).save_pretrained(
            target
        )
        (target / "exported").touch()
    return target


def load() -> Answer:
    folder, precision = Path(sys.argv[1]), sys.argv[2]
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size = CACHE_GB
    scheduler.enable_prefix_caching = False
    hint = {"INFERENCE_PRECISION_HINT": "f32"} if precision == "f32" else {}
    target = exported(folder)
    pipeline = openvino_genai.ContinuousBatchingPipeline(str(target), scheduler, "CPU", hint)

    def answer(prompts: Prompts, new_tokens: int) -> list[list[int]]:
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = config.min_new_tokens = new_tokens
        config.ignore_eos = True
        config.do_sample = False
        ids = [openvino.Tensor(numpy.array([prompt], dtype=numpy.int64)) for prompt in prompts]
        results = pipeline.generate(ids, [config] * len(ids))
        return [list(result.m_generation_ids[0]) for result in results]

    return answer


if __name__ == "__main__":
    serve(load)
