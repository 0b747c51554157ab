"""Sampling with transformers' generate(): seconds per decode step, prefill left out."""
import time

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from common import model_of, options, report, median

o = options(batch=16, prompt=128, tokens=64, repeats=2, warmup=8)
model = model_of(o.size).eval()


class Clock(StoppingCriteria):
    """Asked once after every token: the first mark is the end of prefill."""

    def __init__(self):
        self.marks = []

    def __call__(self, ids, scores, **_):
        self.marks.append(time.perf_counter())
        return torch.zeros(ids.shape[0], dtype=torch.bool)


@torch.inference_mode()
def generate(tokens):
    """Seconds of the prefill and of a decode step, the mean over one call."""
    prompt = torch.randint(0, model.config.vocab_size, (o.batch, o.prompt))
    clock, start = Clock(), time.perf_counter()
    out = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
                         max_new_tokens=tokens, stopping_criteria=StoppingCriteriaList([clock]))
    assert out.shape == (o.batch, o.prompt + tokens)
    return clock.marks[0] - start, (clock.marks[-1] - clock.marks[0]) / (tokens - 1)


generate(o.warmup)
prefills, steps = zip(*[generate(o.tokens) for _ in range(o.repeats)])
report(secondsPerStep=median(steps), tokensPerSecond=o.batch / median(steps), prefillSeconds=median(prefills), threads=o.threads)
