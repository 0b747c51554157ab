"""Writes test/fixtures: small random HF folders and what torch, transformers and peft say about them.

    $PYTHON test/oracle/make_fixtures.py [folder]        needs torch, transformers, peft, safetensors; see test/fixtures/README.md

Everything is seeded; run again, the numbers differ only as far as torch's own kernels do.
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

import kernels
from models import MODELS, build, distance, greedy, load, log_probs, pick_stop, random_sequences, write_folder
from training import ADAPTERS, adapter_fixture, full_fixture, reward_fixture

torch.use_deterministic_algorithms(True)
torch.set_num_threads(1)

LENGTHS = [1, 2, 5, 17, 33, 64, 65, 70]  # one token; a key block of 64 just full, just passed, well passed
SCORED = [64] * 24  # so many that the largest of their errors in bf16 means something
PROMPTS = [[1], [5, 9, 2], list(range(1, 67))]
NEW_TOKENS = 24


def model_fixture(name, spec, root):
    folder = root / name
    torch.manual_seed(spec["seed"])
    write_folder(folder, spec, build(spec))

    sequences = random_sequences(LENGTHS, spec["config"]["vocab_size"], spec["seed"])
    scored = sequences + random_sequences(SCORED, spec["config"]["vocab_size"], 50 + spec["seed"])
    model = load(folder)
    stop = pick_stop(model, PROMPTS, NEW_TOKENS) if spec["stops"] else None
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [stop] if spec["stops"] else None}) + "\n")
    generations = [greedy(model, prompt, NEW_TOKENS, stop) for prompt in PROMPTS]

    expected = log_probs(model, scored)
    save_file({"log_probs": expected}, folder / "expected.safetensors")
    error = distance(log_probs(load(folder, torch.bfloat16), scored), expected)
    entry = {"sequences": sequences, "scored": scored, "bf16Error": error, "stop": stop, "generations": generations, "adapters": {}}
    if spec["trained"]:
        weights = loss_weights(sequences)
        entry["lossWeights"] = weights
        entry["full"] = full_fixture(folder, sequences, weights, keep_parameters=spec["keep_trained"])
        for adapter in spec["adapters"]:
            entry["adapters"][adapter] = adapter_fixture(folder, adapter, ADAPTERS[adapter], scored, sequences, weights)
        if spec["reward"]:
            entry["reward"] = reward_fixture(folder, ADAPTERS["some"], sequences)
    print(f"{name}: error of transformers in bf16 {error}; smallest greedy margin {min(g['margin'] for g in generations):.3f}")
    return entry


def loss_weights(sequences):
    """Weights that f32 and JSON both hold exactly. Prompts of weight 0, and one sequence with no supervised token."""
    weights = []
    for s, ids in enumerate(sequences):
        draw = torch.randint(0, 5, (len(ids),), generator=torch.Generator().manual_seed(s)).tolist()
        prompt = len(ids) // 4
        weights.append([0.0 if i <= prompt or s == 3 else 0.25 * w for i, w in enumerate(draw)])
    return weights


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "fixtures"
    root.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        shutil.rmtree(root / name, ignore_errors=True)
    index = {"models": {name: model_fixture(name, spec, root) for name, spec in MODELS.items()}, "kernels": kernels.fixture(root)}
    (root / "index.json").write_text(json.dumps(index, separators=(",", ":")) + "\n")
    files = [f for part in (*MODELS, "kernels.safetensors", "index.json") for f in [root / part, *(root / part).rglob("*")] if f.is_file()]
    for file in files:
        file.chmod(0o644)
    print(f"{sum(f.stat().st_size for f in files) / 1e6:.2f} MB in {root}")


main()
