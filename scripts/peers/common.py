"""What the PyTorch peers share: the shapes, random models of them, and the one line of JSON that each prints."""
import argparse
import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import torch
import transformers

transformers.logging.set_verbosity_error()

# As src/bench/sizes.ts has them.
SIZES = {
    "small": dict(hidden_size=256, intermediate_size=704, num_hidden_layers=6, num_attention_heads=8, num_key_value_heads=2, vocab_size=4096),
    "0.5b": dict(hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, vocab_size=151936),
}
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def options(**numbers):
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--adapters", choices=["f32", "bf16"], default="f32", help="dtype of the LoRA matrices; peft's default is f32")
    for name, value in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    return chosen


def model_of(size):
    """bf16, random, with the attention that transformers prefers on a CPU."""
    config = transformers.Qwen2Config(**SIZES[size], max_position_embeddings=4096, rms_norm_eps=1e-6, tie_word_embeddings=True,
                                      bos_token_id=None, eos_token_id=None, pad_token_id=0)
    return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def peak_rss_mib():
    with open("/proc/self/status") as status:
        return round(next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024)


def report(**result):
    print(json.dumps(result | {"peakRssMiB": peak_rss_mib(), "torch": torch.__version__, "transformers": transformers.__version__}), flush=True)
