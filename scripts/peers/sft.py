"""A LoRA step of supervised fine-tuning in transformers + peft: forward, backward, clip, AdamW. The first quarter of each sequence is the prompt."""
import time

import peft
import torch

from common import LINEAR, model_of, options, report, median

o = options(batch=16, length=256, rank=8, steps=3, warmup=1)
lora = peft.LoraConfig(r=o.rank, lora_alpha=2 * o.rank, target_modules=LINEAR, task_type="CAUSAL_LM")
model = peft.get_peft_model(model_of(o.size), lora, autocast_adapter_dtype=o.adapters == "f32")
model.train()
model.config.use_cache = False
trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trainable, lr=1e-4, fused=True)


def step():
    ids = torch.randint(0, model.config.vocab_size, (o.batch, o.length))
    labels = ids.clone()
    labels[:, : o.length // 4] = -100
    start = time.perf_counter()
    # Equal lengths need no mask, and without one the attention takes its fastest, causal path.
    loss = model(input_ids=ids, labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trainable, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - start, float(loss.detach())


times, losses = zip(*[step() for _ in range(o.warmup + o.steps)])
seconds = median(times[o.warmup:])
report(secondsPerStep=seconds, tokensPerSecond=o.batch * o.length / seconds, loss=losses[-1], adapters=o.adapters, threads=o.threads)
