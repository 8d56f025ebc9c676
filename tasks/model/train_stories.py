"""Train the small GPT-Neo that NeoServe ships, from a file of short stories, in one command:

    python -m tasks.model.train_stories --corpus tinystories.txt.gz --output tasks/model/stories

It makes the tokenizer, the weights (half precision), both configurations, the held-out stories and the
figures of the model card. A GPU is used where there is one; on a 2-core CPU with bfloat16 matrix units
it takes about an hour.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy, scaled_dot_product_attention
from transformers import GenerationConfig, GPTNeoConfig, GPTNeoForCausalLM, PreTrainedTokenizerFast
from transformers.models.gpt_neo import modeling_gpt_neo

from tasks.model.story_corpus import END, NUM_HELD_OUT, VOCABULARY_SIZE, read_stories, rows, train_tokenizer

#: GPTNeoForCausalLM; its stubs know neither `generate` on it nor calls without types.
Network = Any

#: Most of the training sees rows of this many tokens, about one story.
SHORT_ROW = 256
#: The last part sees rows as long as the model's context, so that every position is trained.
LONG_ROW = 2048
LONG_SHARE = 0.1
TOKENS_PER_STEP = 4096
#: Higher ones make a model of this size lose its thread sooner.
TEMPERATURE = 0.65
SAMPLE_PROMPTS = (
    "Once upon a time, there was a little dog named Max.",
    "Lily and Tom wanted to build a big castle.",
    "One day, a boy found a shiny key in the garden.",
)


def model_config(end_id: int) -> GPTNeoConfig:
    config = GPTNeoConfig(
        vocab_size=VOCABULARY_SIZE,
        max_position_embeddings=LONG_ROW,
        hidden_size=192,
        num_layers=4,
        num_heads=6,
        attention_types=[[["global", "local"], 2]],
        window_size=256,
        resid_dropout=0.1,
        embed_dropout=0.0,
        attention_dropout=0.0,
        bos_token_id=end_id,
        eos_token_id=end_id,
    )
    config.task_specific_params = {
        "text-generation": {"do_sample": True, "temperature": TEMPERATURE, "max_length": 50}
    }
    return config


def fused_attention(
    self: modeling_gpt_neo.GPTNeoSelfAttention,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _attention_mask: torch.Tensor | None = None,
) -> tuple[torch.Tensor, None]:
    """GPTNeoSelfAttention._attn through the fused kernel ([batch, heads, tokens, head size]): several
    times faster than the eager one, same mathematics (GPT-Neo does not scale its scores)."""
    num_tokens = query.shape[-2]
    window = self.bias[0, 0, :num_tokens, :num_tokens]
    local = self.attention_type == "local" and num_tokens > self.config.window_size
    output = scaled_dot_product_attention(
        query, key, value, attn_mask=window if local else None, is_causal=not local, scale=1.0
    )
    return output, None


def optimizers(model: Network) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for embeddings, gains and biases."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and ".h." in n]
    others = [p for n, p in model.named_parameters() if not (p.ndim == 2 and ".h." in n)]
    return [
        torch.optim.Muon(matrices, lr=0.008, momentum=0.95, weight_decay=0.05),
        torch.optim.AdamW(others, lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def rate(progress: float) -> float:
    """Factor of the learning rate: warm-up, plateau, linear fall over the last 60 %."""
    return min(progress / 0.02, 1.0, max((1 - progress) / 0.6, 0.0))


def perplexity(model: Network, stories: list[list[int]], end_id: int) -> float:
    """exp of the mean loss per token over whole stories, each alone and closed by the end mark."""
    model.eval()
    loss, count = 0.0, 0
    with torch.no_grad():
        for story in stories:
            ids = torch.tensor([[*story, end_id]], device=model.device)
            logits = model(ids).logits[0, :-1].float()
            loss += cross_entropy(logits, ids[0, 1:], reduction="sum").item()
            count += ids.shape[1] - 1
    model.train()
    return math.exp(loss / count)


def train(
    model: Network,
    stories: list[list[int]],
    held_out: list[list[int]],
    end_id: int,
    epochs: float,
) -> None:
    num_steps = round(epochs * sum(len(story) + 1 for story in stories) / TOKENS_PER_STEP)
    long_from = round(num_steps * (1 - LONG_SHARE))
    rng = random.Random(0)
    parts = optimizers(model)
    base_rates = [group["lr"] for part in parts for group in part.param_groups]
    step, epoch, started = 0, 0, time.monotonic()
    while step < num_steps:
        length = SHORT_ROW if step < long_from else LONG_ROW
        batch_size = TOKENS_PER_STEP // length
        batch: list[list[int]] = []
        aligned = epoch % 2 == 0
        for row in rows(stories, end_id, length, rng, aligned):
            batch.append(row)
            if len(batch) < batch_size:
                continue
            ids = torch.tensor(batch, device=model.device)
            batch = []
            # A row that goes on where another stopped may stand anywhere in the context: so the
            # short rows train every position.
            offset = 0 if aligned else rng.randint(0, LONG_ROW - length)
            positions = torch.arange(offset, offset + length, device=model.device)[None]
            with torch.autocast(model.device.type, torch.bfloat16):
                logits = model(ids[:, :-1], position_ids=positions).logits
            loss: Any = cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            factor = rate(step / num_steps)
            groups = [group for part in parts for group in part.param_groups]
            for group, base in zip(groups, base_rates, strict=True):
                group["lr"] = base * factor
            for part in parts:
                part.step()
                part.zero_grad(set_to_none=True)
            step += 1
            if step % 100 == 0:
                spent = time.monotonic() - started
                print(f"step {step}/{num_steps} loss {loss.item():.3f} {spent:.0f} s", flush=True)
            if step % 500 == 0 or step == num_steps:
                print(f"  held out: {perplexity(model, held_out[:50], end_id):.3f}", flush=True)
            if step in (long_from, num_steps):
                break
        epoch += 1


def samples(model: Network, tokenizer: Tokenizer) -> list[str]:
    model.eval()
    texts = []
    for seed, prompt in enumerate(SAMPLE_PROMPTS):
        torch.manual_seed(seed)
        ids = torch.tensor([tokenizer.encode(prompt).ids], device=model.device)
        out = model.generate(ids, do_sample=True, temperature=TEMPERATURE, top_k=50, max_new_tokens=80)
        texts.append(tokenizer.decode(out[0].tolist()))
    return texts


def save(model: Network, tokenizer: Tokenizer, held_out: list[str], output: Path) -> None:
    """Write the model folder as `from_pretrained` reads it, and the held-out stories beside it."""
    end_id = model.config.eos_token_id
    model.half().save_pretrained(output)
    defaults: Any = GenerationConfig
    defaults(
        bos_token_id=end_id, eos_token_id=end_id, do_sample=True, temperature=TEMPERATURE, top_k=50
    ).save_pretrained(output)
    wrapped: Any = PreTrainedTokenizerFast
    wrapped(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        unk_token=END,
        model_max_length=LONG_ROW,
    ).save_pretrained(output)
    text = "".join(f"{story}\n{END}\n" for story in held_out)
    (output / "held_out.txt").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--epochs", type=float, default=12.0)
    options = parser.parse_args()

    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    stories = read_stories(options.corpus)
    training, held_out = stories[:-NUM_HELD_OUT], stories[-NUM_HELD_OUT:]
    tokenizer, end_id = train_tokenizer(training)
    encoded = [encoding.ids for encoding in tokenizer.encode_batch(training)]
    encoded_held_out = [encoding.ids for encoding in tokenizer.encode_batch(held_out)]

    model: Network = GPTNeoForCausalLM(model_config(end_id))
    model.to(device)
    attention: Any = modeling_gpt_neo.GPTNeoSelfAttention
    eager, attention._attn = attention._attn, fused_attention
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
        train(model, encoded, encoded_held_out, end_id, options.epochs)
    attention._attn = eager

    save(model, tokenizer, held_out, options.output)
    shipped: Network = GPTNeoForCausalLM.from_pretrained(options.output, dtype=torch.float32)
    shipped.to(device)
    figures = {
        "parameters": sum(p.numel() for p in shipped.parameters()),
        "training_tokens": sum(map(len, encoded)),
        "epochs": options.epochs,
        "held_out_perplexity": round(perplexity(shipped, encoded_held_out, end_id), 3),
        "held_out_tokens": sum(len(story) + 1 for story in encoded_held_out),
        "samples": samples(shipped, tokenizer),
    }
    (options.output / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
