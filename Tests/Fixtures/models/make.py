#!/usr/bin/env python3
"""Makes the golden models of this folder with transformers; see README.md for what each file holds.

    python Tests/Fixtures/models/make.py            (needs torch, transformers, tokenizers)

The weights are rounded to the type they are stored in first; the golden values are then computed in float64 from the
stored weights, so that a float32 implementation is compared with the truth and not with another rounding.
"""
import json
import shutil
from pathlib import Path

import torch
from torch.nn import functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
VOCABULARY, SEQUENCES, LENGTH = 320, 2, 24

TEXT = (
    "A pen writes what the hand means. The hand means what the mind holds, and the mind holds what it has read. "
    "القلم يكتب ما تقوله اليد، واليد تقول ما يراه القلب. من جد وجد، ومن زرع حصد. "
    "Small models are quick to train: they see the same words again and again until the words are theirs. "
    "The cat sat near the river; the river ran to the sea. Who reads much knows that there is more to read. "
)

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

LLAMA = dict(
    vocab_size=VOCABULARY, hidden_size=48, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2,
    head_dim=12, max_position_embeddings=128, bos_token_id=None, eos_token_id=2,
)

# name: seed, configuration, stored type, the largest shard, how many of the last rows of logits are kept
MODELS = {
    "tiny-llama": (
        11,
        LlamaConfig(
            **LLAMA, num_hidden_layers=3, rms_norm_eps=1e-5, tie_word_embeddings=False,
            rope_parameters=dict(rope_type="default", rope_theta=10000.0),
        ),
        torch.bfloat16, "80KB", 16,
    ),
    "tiny-llama-tied": (
        12,
        LlamaConfig(
            **LLAMA, num_hidden_layers=1, rms_norm_eps=1e-6, tie_word_embeddings=True,
            rope_parameters=dict(rope_type="default", rope_theta=500000.0),
        ),
        torch.float32, "5GB", 2,
    ),
    "tiny-gpt2": (
        13,
        GPT2Config(
            vocab_size=VOCABULARY, n_embd=48, n_layer=2, n_head=4, n_positions=64, activation_function="gelu_new",
            bos_token_id=2, eos_token_id=2,
        ),
        torch.float16, "5GB", 2,
    ),
}


def draw_weights(model, seed):
    """Random weights with enough spread that logits differ: matrices 0.1, norm weights around one, biases 0.05."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() >= 2:
            value = 0.1 * noise
        elif name.endswith("bias"):
            value = 0.05 * noise
        else:
            value = 1 + 0.1 * noise
        parameter.data.copy_(value)


def rounded(value):
    """Seven significant digits, through lists."""
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float(f"{value:.7g}")


def losses_of(model, ids):
    """Cross-entropy of each next token: (sequences, length - 1)."""
    logits = model(input_ids=ids).logits
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")


def train(model, ids, steps=10):
    """The loss before each of ten AdamW steps on the same batch; decay on matrices only."""
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
        ],
        lr=1e-3, betas=(0.9, 0.95), eps=1e-8,
    )
    history = []
    for _ in range(steps):
        loss = losses_of(model, ids).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history, losses_of(model, ids).mean().item()


def golden(model, ids, rows):
    """Everything golden.json holds, for a float64 model."""
    logits = model(input_ids=ids).logits
    token_losses = losses_of(model, ids)
    loss = token_losses.mean()
    loss.backward()
    gradients = {
        name: rounded(p.grad.flatten()[:8].tolist() + [p.grad.sum().item(), p.grad.norm().item()])
        for name, p in model.named_parameters()
    }
    steps, after = train(model, ids)
    return {
        "ids": ids.tolist(),
        "logits": rounded(logits[0, -rows:].tolist()),
        "token_losses": rounded(token_losses.tolist()),
        "loss": rounded(loss.item()),
        "gradients": gradients,
        "steps": rounded(steps),
        "loss_after_steps": rounded(after),
    }


def write_older_config(folder):
    """Rewrites config.json in the way transformers 4 wrote it, which most published models still use."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.46.0"
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_tokenizer(folder):
    """A byte-level BPE of 320 entries with a chat template, so that a whole folder can be opened and chatted with."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(folder)
    cases = [TEXT, "naïve café 🙂 ١٢٣", "  two  spaces\n\tand tabs", "<|im_start|>user\nhi<|im_end|>\n"]
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "سلام, hello"}]
    record = {
        "encode": [{"text": text, "ids": wrapped.encode(text)} for text in cases],
        "chat": {
            "messages": messages,
            "text": wrapped.apply_chat_template(messages, add_generation_prompt=True, tokenize=False),
        },
    }
    write_json(folder / "tokenizer_golden.json", record)


def write_json(path, record):
    """One line per key, so that a difference is readable."""
    lines = [f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'), ensure_ascii=False)}" for k, v in record.items()]
    path.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")


def make(name):
    """Writes one folder."""
    seed, config, dtype, shard, rows = MODELS[name]
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config)
    draw_weights(model, seed)
    model.generation_config.pad_token_id = 0
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    ids = torch.randint(VOCABULARY, (SEQUENCES, LENGTH), generator=torch.Generator().manual_seed(seed + 100))
    # Opened again as a user would: casting the model above rounded the rotary frequencies too, which no file holds.
    stored = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    write_json(folder / "golden.json", golden(stored.double().train(False), ids, rows))
    if name == "tiny-llama-tied":
        write_older_config(folder)
    if name == "tiny-llama":
        write_tokenizer(folder)


def main():
    torch.set_num_threads(1)
    for name in MODELS:
        make(name)
    total = sum(p.stat().st_size for p in HERE.rglob("*") if p.is_file())
    for path in sorted(HERE.rglob("*")):
        if path.is_file():
            print(f"{path.stat().st_size:8d} {path.relative_to(HERE)}")
    print(f"{total:8d} bytes in all")


if __name__ == "__main__":
    main()
