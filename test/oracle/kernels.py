"""The reinforcement-learning kernels by definition and torch autograd, in double; inputs and results are stored as f32."""
import torch
from safetensors.torch import save_file

CLIPS = [
    {"kind": "ppo", "epsilon": 0.2},
    {"kind": "dual", "epsilon": 0.2, "c": 3.0},
    {"kind": "sapo", "tauPos": 1.0, "tauNeg": 1.05},
    {"kind": "cispo", "cap": 1.28},
]
N, VALUE_CLIP = 97, 0.2


def f32(x):
    """What the kernel will be given, in double."""
    return x.float().double()


def gae(draw):
    lengths = [1, 3, 17, 65]
    cu = torch.tensor([0, *lengths]).cumsum(0)
    rewards, values = f32(draw(int(cu[-1]))), f32(draw(int(cu[-1])))
    gamma, lam, advantages = 0.98, 0.9, torch.zeros_like(rewards)
    for start, end in zip(cu[:-1].tolist(), cu[1:].tolist()):
        carry = 0.0
        for t in reversed(range(start, end)):  # A_t = δ_t + γλ A_{t+1}, V = 0 past the end
            following = values[t + 1] if t + 1 < end else 0.0
            carry = rewards[t] + gamma * following - values[t] + gamma * lam * carry
            advantages[t] = carry
    tensors = {"rewards": rewards, "values": values, "advantages": advantages, "returns": advantages + values}
    return {"cuSeqlens": cu.tolist(), "gamma": gamma, "lambda": lam}, tensors


def policy_loss(clip, log_probs, old, a):
    """One value a token, [N]."""
    r = torch.exp(log_probs - old)
    if clip["kind"] == "sapo":
        tau = torch.where(a > 0, clip["tauPos"], clip["tauNeg"])
        return -(4 / tau) * torch.sigmoid(tau * (r - 1)) * a
    if clip["kind"] == "cispo":
        return -r.clamp(max=clip["cap"]).detach() * a * log_probs
    e = clip["epsilon"]
    surrogate = torch.min(r * a, r.clamp(1 - e, 1 + e) * a)
    if clip["kind"] == "dual":
        surrogate = torch.where(a < 0, torch.max(surrogate, clip["c"] * a), surrogate)
    return -surrogate


def ppo(draw):
    old = f32(draw(N) * 0.5 - 2)
    inputs = {
        "logProbs": f32(old + 0.6 * draw(N)), "oldLogProbs": old, "advantages": f32(draw(N)), "weights": f32((draw(N).abs() * 2).floor() / 2),
        "oldValues": f32(draw(N)), "returns": f32(draw(N)),
    }
    inputs["values"] = f32(inputs["oldValues"] + 0.3 * draw(N))
    w, tensors, cases = inputs["weights"], dict(inputs), []
    for i, clip in enumerate(CLIPS):
        for aggregation in ("mean", "sum"):
            lp, v = inputs["logProbs"].clone().requires_grad_(), inputs["values"].clone().requires_grad_()
            total = (w * policy_loss(clip, lp, old, inputs["advantages"])).sum()
            loss = total / w.sum() if aggregation == "mean" else total
            clipped = inputs["oldValues"] + (v - inputs["oldValues"]).clamp(-VALUE_CLIP, VALUE_CLIP)
            worst = torch.max((v - inputs["returns"]) ** 2, (clipped - inputs["returns"]) ** 2)
            value_loss = 0.5 * (w * worst).sum() / w.sum()
            (loss + value_loss).backward()
            tensors |= {f"{clip['kind']}.{aggregation}.gradLogProbs": lp.grad, "gradValues": v.grad}
            log_ratio = lp.detach() - old
            kl = (w * (log_ratio.exp() - 1 - log_ratio)).sum() / w.sum()
            cases.append({"clip": clip, "aggregation": aggregation, "loss": float(loss.detach()), "valueLoss": float(value_loss.detach()), "approxKl": float(kl)})
    return {"valueClip": VALUE_CLIP, "cases": cases}, tensors


def adamw(draw, steps=3):
    p = torch.nn.Parameter(f32(draw(N)))
    tensors, norms = {"params": p.detach().clone()}, []
    options = {"lr": 0.01, "beta1": 0.9, "beta2": 0.98, "eps": 1e-8, "weightDecay": 0.1, "clipNorm": 4.0}
    optimizer = torch.optim.AdamW([p], lr=options["lr"], betas=(options["beta1"], options["beta2"]), eps=options["eps"], weight_decay=options["weightDecay"])
    for step in range(steps):
        p.grad = f32(draw(N) * (0.1, 1.0, 3.0)[step])  # below, above and far above the clipping norm
        tensors[f"grads.{step}"] = p.grad.clone()
        norms.append(float(torch.nn.utils.clip_grad_norm_([p], options["clipNorm"])))
        optimizer.step()
    state = optimizer.state[p]
    return {"options": options, "gradNorms": norms}, tensors | {"updated": p.detach(), "m": state["exp_avg"], "v": state["exp_avg_sq"]}


def fixture(root):
    generator = torch.Generator().manual_seed(11)

    def draw(n):
        return torch.randn(n, generator=generator, dtype=torch.float64)

    entries, tensors = {}, {}
    for name, make in {"gae": gae, "ppoLoss": ppo, "loraUpdate": adamw}.items():
        entries[name], made = make(draw)
        tensors |= {f"{name}.{k}": t.float().contiguous() for k, t in made.items()}
    save_file(tensors, root / "kernels.safetensors")
    return entries
