// The process that is fuzzed: it may hang, run out of memory or crash; its parent (processes.mjs) watches it and starts another.
import { allowed, Broken, check, loadChecks, said } from './checks.mjs';
import { inputOf } from './inputs.mjs';

/** What a failure is about, whatever the input: failures of one key are one flaw. */
function keyOf(name, error) {
  if (error instanceof Broken) return `${name}: ${error.message.replaceAll(/\d+/g, '0')}`;
  if (error instanceof RangeError) return `${name}: ${error.message}`;
  const [place] = /\bat .*$/m.exec(error.stack ?? '') ?? [''];
  const message = String(error.message).split('\n')[0].slice(0, 60).replaceAll(/\d+/g, '0');
  return `${name}: ${error.name}: ${message} ${place.replace(/\(?file:.*\/dist\//, '').replace(/\)$/, '')}`;
}

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

async function tried(input, about) {
  const times = {};
  let name = 'start';
  const timed = (what, look) => {
    name = what;
    const before = cpu();
    const ended = (result) => {
      times[what] = cpu() - before;
      return result;
    };
    const result = look();
    return result instanceof Promise ? result.then(ended) : ended(result);
  };
  try {
    const verdict = await check(input, { ...about, timed });
    const slow = Object.entries(times).find(([, ms]) => ms > allowed(input.code.length));
    if (slow !== undefined) return { key: `slow: ${slow[0]}`, detail: `${slow[0]}: ${Math.round(slow[1])} ms`, times };
    return { verdict, times };
  } catch (error) {
    return { key: keyOf(name, error), detail: error.stack?.slice(0, 2000) ?? String(error), times };
  }
}

/** @param {{ seed: number, language: string, seeds: string[], from: number, to: number }} range */
async function run(range) {
  const { language } = range;
  let last;
  for (let index = range.from; index < range.to; index++) {
    const input = inputOf(range, index);
    process.send({ at: index, length: input.code.length, cpu: cpu() });
    const thorough = index % 8 === 0;
    const { key, detail, verdict, times } = await tried(input, { language, thorough });
    if (key !== undefined) process.send({ failure: { index, what: input.what, key, detail } });
    // Another input between, whatever the first one left behind would show.
    if (last !== undefined && said(last.code, language) !== last.verdict)
      process.send({
        failure: { index: last.index, what: last.what, key: 'repeat: another verdict', detail: `after input ${index}` },
      });
    last = verdict !== undefined && times.analyze < 100 ? { ...input, verdict, index } : undefined;
    // What is left is kept.
    if (index % 1000 === 999) globalThis.gc();
    const { rss } = process.memoryUsage();
    process.send({ done: index, what: input.what, bytes: input.code.length, times, rss, cpu: cpu() });
    await new Promise(setImmediate);
  }
}

process.on('message', async (message) => {
  if (message.range !== undefined) {
    await run(message.range);
    process.send({ end: true });
    return;
  }
  const input = { ...message.input, code: Buffer.from(message.input.code, 'base64') };
  process.send({ at: 0, length: input.code.length, cpu: cpu() });
  const about = { language: message.language, thorough: true };
  const first = await tried(input, about);
  const second =
    first.verdict !== undefined && first.times.analyze < 1000 ? said(input.code, message.language) : first.verdict;
  const key = first.key ?? (second === first.verdict ? undefined : 'repeat: another verdict');
  process.send({ answer: { key, detail: first.detail, times: first.times, verdict: first.verdict } });
});

await loadChecks();
process.send({ ready: true });
