"""Gradients and optimiser steps, of all parameters, of LoRA adapters (peft) and of a reward model."""
import json

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file

from models import distance, load, log_probs, next_log_probs

STEPS = 20
OPTIMIZER = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weightDecay": 0.01, "clipNorm": 1.0}
ADAPTERS = {
    "all": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "some": ["k_proj", "up_proj", "down_proj"],
}
RANK, ALPHA = 5, 10
PAIRS = [[1, 2], [4, 3], [6, 7], [5, 0]]  # sequences: chosen, rejected


def weighted_loss(model, sequences, weights):
    """Σ w·(-log p) / Σ w"""
    nll = torch.cat([-next_log_probs(model, ids) for ids in sequences])
    w = torch.cat([torch.tensor(each[1:]) for each in weights])
    return (w * nll).sum() / w.sum()


def adamw(parameters):
    """Norms and biases are not decayed."""
    o = OPTIMIZER
    groups = [{"params": [p for p in parameters if p.ndim > 1], "weight_decay": o["weightDecay"]}, {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"], foreach=False)


def train(parameters, loss_of_step, steps=STEPS):
    """The losses and the gradient norms before clipping."""
    optimizer, losses, norms = adamw(parameters), [], []
    for step in range(steps):
        optimizer.zero_grad()
        loss = loss_of_step(step)
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(parameters, OPTIMIZER["clipNorm"])))
        losses.append(float(loss.detach()))
        optimizer.step()
    return losses, norms


def batches(count):
    """Three sequences a step, every one in turn."""
    return [[(step + k * 3) % count for k in range(3)] for step in range(STEPS)]


def run_batches(model, sequences, weights):
    plan = batches(len(sequences))
    losses, norms = train([p for p in model.parameters() if p.requires_grad],
                          lambda step: weighted_loss(model, [sequences[i] for i in plan[step]], [weights[i] for i in plan[step]]))
    return {"optimizer": OPTIMIZER, "batches": plan, "losses": losses, "gradNorms": norms}


def save(tensors, file):
    save_file({n: t.detach().clone().contiguous() for n, t in tensors.items()}, file)


def full_fixture(folder, sequences, weights, keep_parameters):
    model = load(folder)
    loss = weighted_loss(model, sequences, weights)
    loss.backward()
    save({n: p.grad for n, p in model.named_parameters()}, folder / "gradients.safetensors")
    trained = run_batches(model, sequences, weights)
    if keep_parameters:
        save(dict(model.named_parameters()), folder / "trained.safetensors")
    return {"loss": float(loss.detach()), "training": trained}


def new_adapter(folder, targets, seed=7):
    torch.manual_seed(seed)
    model = get_peft_model(load(folder), LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets, task_type="CAUSAL_LM"))
    for name, p in model.named_parameters():
        if p.requires_grad:  # B too, or nothing would reach A
            torch.nn.init.normal_(p, 0, p.shape[1] ** -0.5 * (0.2 if "lora_B" in name else 1))
    return model


def peft_names(model, of):
    """Tensors under the names that peft's files use."""
    return get_peft_model_state_dict(model, state_dict={n: of(p) for n, p in model.named_parameters() if p.requires_grad})


def save_adapter(model, home):
    """peft's folder, without the card and without this machine's path."""
    model.save_pretrained(home)
    (home / "README.md").unlink()
    config = json.loads((home / "adapter_config.json").read_text())
    config |= {"base_model_name_or_path": None, "target_modules": sorted(config["target_modules"])}
    (home / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")


def adapter_fixture(folder, name, targets, scored, sequences, weights):
    model, home = new_adapter(folder, targets), folder / "adapters" / name
    save_adapter(model, home)
    bf16 = PeftModel.from_pretrained(load(folder, torch.bfloat16), home)
    expected = log_probs(model, scored)
    save({"log_probs": expected}, home / "expected.safetensors")
    error = distance(log_probs(bf16, scored), expected)
    print(f"  adapter {name}: error of peft over transformers in bf16 {error}")
    loss = weighted_loss(model, sequences, weights)
    loss.backward()
    save(peft_names(model, lambda p: p.grad), home / "gradients.safetensors")
    trained = run_batches(model, sequences, weights)
    save(peft_names(model, lambda p: p), home / "trained.safetensors")
    return {"rank": RANK, "alpha": ALPHA, "targets": targets, "bf16Error": error, "loss": float(loss.detach()), "training": trained}


def reward_fixture(folder, targets, sequences, steps=5):
    """Bradley-Terry, -log σ(s_chosen - s_rejected), mean over pairs; s = head · hidden state of the last token (after the final norm)."""
    model, home = new_adapter(folder, targets), folder / "adapters" / "reward"
    heads = {k: torch.nn.Parameter(torch.randn(1, model.config.hidden_size) * 0.2) for k in ("reward", "value")}
    decoder = model.base_model.model.model

    def states(ids):
        return decoder(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0]  # [n, H]

    def scores(pick):
        return torch.stack([states(sequences[pair[pick]])[-1] @ heads["reward"][0] for pair in PAIRS])

    def loss():
        return F.softplus(scores(1) - scores(0)).mean()

    save_adapter(model, home)
    save({f"{k}_head.weight": h for k, h in heads.items()}, home / "heads.safetensors")
    with torch.no_grad():
        save({"rewards": torch.stack([states(ids)[-1] @ heads["reward"][0] for ids in sequences]),
              "values": torch.cat([states(ids) @ heads["value"][0] for ids in sequences])}, home / "expected.safetensors")
        accuracy = float((scores(0) > scores(1)).float().mean())
    first = loss()
    first.backward()
    save(peft_names(model, lambda p: p.grad) | {"reward_head.weight": heads["reward"].grad}, home / "gradients.safetensors")
    parameters = [p for p in model.parameters() if p.requires_grad] + [heads["reward"]]
    losses, norms = train(parameters, lambda _: loss(), steps)
    save(peft_names(model, lambda p: p) | {"reward_head.weight": heads["reward"]}, home / "trained.safetensors")
    return {"pairs": PAIRS, "accuracy": accuracy, "training": {"optimizer": OPTIMIZER, "losses": losses, "gradNorms": norms}}
