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
from models import MODELS, build, greedy, load, log_probs, pick_stop, random_sequences, write_folder
from training import ADAPTERS, adapter_fixture, full_fixture, reward_fixture

torch.use_deterministic_algorithms(True)
torch.set_num_threads(1)

LENGTHS = [1, 2, 5, 17, 33, 64, 65, 70]  # one token; a key block of 64 just full, just passed, well passed
PROMPTS = [[1], [5, 9, 2], list(range(1, 67))]
NEW_TOKENS = 24


def model_fixture(name, spec, root):
    folder = root / name
    torch.manual_seed(spec["seed"])
    write_folder(folder, spec, build(spec))

    sequences = random_sequences(LENGTHS, spec["config"]["vocab_size"], spec["seed"])
    model = load(folder)
    stop = pick_stop(model, PROMPTS, NEW_TOKENS) if spec["stops"] else None
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [stop] if spec["stops"] else None}) + "\n")
    generations = [greedy(model, prompt, NEW_TOKENS, stop) for prompt in PROMPTS]

    reference = log_probs(model, sequences)
    expected = {"log_probs": reference, "log_probs_bf16": log_probs(load(folder, torch.bfloat16), sequences)}
    entry = {"sequences": sequences, "stop": stop, "generations": generations, "adapters": {}}
    if spec["trained"]:
        weights = loss_weights(sequences)
        entry["lossWeights"] = weights
        entry["full"] = full_fixture(folder, sequences, weights, keep_parameters=spec["keep_trained"])
        for adapter in spec["adapters"]:
            entry["adapters"][adapter] = adapter_fixture(folder, adapter, ADAPTERS[adapter], sequences, weights)
        if spec["reward"]:
            entry["reward"] = reward_fixture(folder, ADAPTERS["some"], sequences)
    save_file(expected, folder / "expected.safetensors")
    error = (expected["log_probs_bf16"] - reference).abs()
    print(f"{name}: transformers' bf16 error mean {error.mean():.2e} max {error.max():.2e}; smallest greedy margin "
          f"{min(g['margin'] for g in generations):.3f}")
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
    readme = (root / "README.md").read_text() if (root / "README.md").exists() else ""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (root / "README.md").write_text(readme)
    index = {"models": {name: model_fixture(name, spec, root) for name, spec in MODELS.items()}, "kernels": kernels.fixture(root)}
    (root / "index.json").write_text(json.dumps(index, separators=(",", ":")) + "\n")
    for file in root.rglob("*.safetensors"):
        file.chmod(0o644)
    print(f"{sum(f.stat().st_size for f in root.rglob('*') if f.is_file()) / 1e6:.2f} MB in {root}")


main()
