"""The fixture models, and what they say: log-probabilities and greedy continuations."""
import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

# Odd widths on purpose: nothing is a multiple of a register, a tile or a panel.
MODELS = {
    # transformers 4 style, biases, grouped queries, tied; f32 in two shards
    "qwen2": {
        "seed": 4, "dtype": torch.float32, "shards": 2, "stops": True, "trained": True, "keep_trained": False, "adapters": ["all", "some"], "reward": True,
        "config": {
            "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 203, "hidden_size": 48, "intermediate_size": 88,
            "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
            "max_position_embeddings": 256, "tie_word_embeddings": True, "hidden_act": "silu", "torch_dtype": "float32",
        },
    },
    # transformers 4 style, linear RoPE scaling, one key/value head, head_dim of its own, untied; bf16 in one file
    "llama": {
        "seed": 6, "dtype": torch.bfloat16, "shards": 1, "stops": False, "trained": True, "keep_trained": True, "adapters": ["some"], "reward": False,
        "config": {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 131, "hidden_size": 40, "intermediate_size": 72,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 16, "rms_norm_eps": 1e-5,
            "rope_theta": 100000.0, "rope_scaling": {"type": "linear", "factor": 4.0}, "max_position_embeddings": 256,
            "tie_word_embeddings": False, "attention_bias": False, "hidden_act": "silu", "torch_dtype": "bfloat16",
        },
    },
    # transformers 5 style: rope_parameters and dtype
    "llama-rope-parameters": {
        "seed": 3, "dtype": torch.float32, "shards": 1, "stops": False, "trained": False, "adapters": [],
        "config": {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 67, "hidden_size": 24, "intermediate_size": 40,
            "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 12, "rms_norm_eps": 1e-5,
            "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 50000.0}, "max_position_embeddings": 256,
            "tie_word_embeddings": False, "attention_bias": False, "hidden_act": "silu", "dtype": "float32",
        },
    },
    "qwen2-rope-parameters": {
        "seed": 2, "dtype": torch.bfloat16, "shards": 1, "stops": False, "trained": False, "adapters": [],
        "config": {
            "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 67, "hidden_size": 24, "intermediate_size": 40,
            "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-6,
            "rope_parameters": {"rope_type": "default", "rope_theta": 50000.0}, "max_position_embeddings": 256,
            "tie_word_embeddings": True, "hidden_act": "silu", "dtype": "bfloat16",
        },
    },
}


def build(spec):
    """Random weights; biases and norms too, for a zero bias or a norm of one would hide a mistake."""
    config = transformers.AutoConfig.for_model(**spec["config"])
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("bias"):
                p.normal_(0, 0.3)
            elif name == "model.norm.weight":
                p.normal_(0, 1)  # both signs, or a tied head would repeat its last token for ever
            elif "norm" in name:
                p.normal_(1, 0.3)
            elif "embed" in name or "lm_head" in name:
                p.normal_(0, 0.15)
            else:
                p.normal_(0, p.shape[1] ** -0.5)
    return model


def write_folder(folder, spec, model):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(spec["config"], indent=1) + "\n")
    tied = spec["config"]["tie_word_embeddings"]
    tensors = {n: t.to(spec["dtype"]).contiguous() for n, t in model.state_dict().items() if not (tied and n == "lm_head.weight")}
    if spec["shards"] == 1:
        return save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    names, where = list(tensors), {}
    for s in range(spec["shards"]):
        file = f"model-{s + 1:05}-of-{spec['shards']:05}.safetensors"
        shard = names[s * len(names) // spec["shards"]:(s + 1) * len(names) // spec["shards"]]
        save_file({n: tensors[n] for n in shard}, folder / file, metadata={"format": "pt"})
        where |= {n: file for n in shard}
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": where}, indent=1) + "\n")


def load(folder, dtype=torch.float32):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager" if dtype == torch.float32 else "sdpa")
    return model.eval()


def random_sequences(lengths, vocab, seed):
    draw = torch.Generator().manual_seed(100 + seed)
    return [torch.randint(0, vocab, (n,), generator=draw).tolist() for n in lengths]


def next_log_probs(model, ids):
    """log p(ids[i+1] | ids[..i]), the softmax in f32 as transformers' own loss does. [n-1]"""
    if len(ids) < 2:
        return torch.zeros(0)
    logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, :-1].float()
    return F.log_softmax(logits, -1).gather(-1, torch.tensor(ids[1:])[:, None])[:, 0]


@torch.no_grad()
def log_probs(model, sequences):
    """Of all sequences, one after another."""
    return torch.cat([next_log_probs(model, ids) for ids in sequences])


def distance(actual, expected):
    error = (actual - expected).abs()
    return {"mean": float(error.mean()), "max": float(error.max())}


@torch.no_grad()
def greedy(model, prompt, new_tokens, stop=None):
    """Without a cache, so that it is an oracle for one. `margin`: how far the runner-up was, at the least."""
    ids, margin = list(prompt), float("inf")
    for _ in range(new_tokens):
        best = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].topk(2)
        margin = min(margin, float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
        if ids[-1] == stop:
            break
    assert margin > 1e-3, "a tie: choose another seed"
    return {"prompt": prompt, "tokens": ids[len(prompt):], "finish": "stop" if ids[-1] == stop else "length", "margin": margin}


def pick_stop(model, prompts, new_tokens):
    """A token that the last continuation reaches for the first time after some steps: then that one stops there."""
    tokens = greedy(model, prompts[-1], new_tokens)["tokens"]
    return next(t for i, t in enumerate(tokens) if i >= 8 and t not in tokens[:i])
