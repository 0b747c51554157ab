import type { Model } from '../../src/native/model.js';
import { random } from './models.js';

/** The gradients of all trainable tensors, by name. */
export type Gradients = Record<string, Float32Array>;

export const dot = (a: Gradients, b: Gradients): number =>
  Object.entries(a).reduce(
    (sum, [name, x]) => x.reduce((s, v, i) => s + v * ((b[name] as Float32Array)[i] as number), sum),
    0,
  );
export const norm = (a: Gradients): number => Math.sqrt(dot(a, a));

/** A direction of norm 1 with a share of every tensor, so that a tensor with a wrong gradient shows whatever its size. */
export function direction(gradients: Gradients, seed: number): Gradients {
  const next = random(seed);
  const tensors = Object.entries(gradients).map(([name, g]) => {
    const size = Math.sqrt(g.reduce((s, v) => s + v * v, 0)) || 1;
    // Half along the gradient, half random: along it alone errors of direction would hide.
    const delta = Float32Array.from(g, (v) => v / size + (next() * 2 - 1) / Math.sqrt(g.length));
    return [name, delta] as const;
  });
  const length = norm(Object.fromEntries(tensors));
  return Object.fromEntries(tensors.map(([name, d]) => [name, d.map((v) => v / length)]));
}

/** |a - b| / |a|. */
export const distance = (a: Gradients, b: Gradients): number =>
  norm(
    Object.fromEntries(
      Object.entries(a).map(([k, x]) => [k, x.map((v, i) => v - ((b[k] as Float32Array)[i] as number))]),
    ),
  ) / norm(a);

/** Central difference of `loss` along `d`, by files: `at(scale)` gives a model whose tensors are moved by scale · d. */
export async function slope(
  at: (scale: number) => Promise<Model>,
  loss: (model: Model) => Promise<number>,
  h = 0.01,
): Promise<number> {
  // Two step sizes and Richardson's extrapolation: f32 log-probs allow no small step.
  const central = async (h: number): Promise<number> => {
    using up = await at(h);
    using down = await at(-h);
    return ((await loss(up)) - (await loss(down))) / (2 * h);
  };
  return (4 * (await central(h / 2)) - (await central(h))) / 3;
}
