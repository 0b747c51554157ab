// node scripts/measure-judge.mjs speed [ROWS]             judged answers a second, with attacks, and without
// node scripts/measure-judge.mjs mutants [PROMPTS] [TIMES] known insecure forms of every step: how many the judge catches. What it does not
//                                                          catch is searched with TIMES (100) other draws of all inputs.
// node scripts/measure-judge.mjs answers FILE…             answers that were judged before (results of a quickstart): what this judge, and the teacher, say of them
// node scripts/measure-judge.mjs neighbours ROWS FILE…     hostile rows (of {"id", "answer"} files) among others: equal to what each gets alone?
import { readFileSync } from 'node:fs';
import { RandomStream } from '../dist/dataset/random.js';
import { Sandbox } from '../dist/sandbox/index.js';
import { judgeFamily } from '../dist/tasks/family/judge/index.js';
import { familyProgram, familyPrompt, familyPromptOf, referenceAnswers } from '../dist/tasks/family/prompts.js';
import { parameterTypes, steps } from '../dist/tasks/family/steps.js';
import { familyTeacher } from '../dist/tasks/family/teacher.js';
import { insecureForms } from './judge/insecure-forms.mjs';

const [what = 'speed', ...args] = process.argv.slice(2);
const sandbox = await Sandbox.open();
const judge = (samples, options = {}) => judgeFamily(samples, { sandbox, attack: true, ...options });
const share = (part, whole) => `${part} of ${whole} = ${(part / whole).toFixed(4)}`;

if (what === 'speed') {
  const rows = Number(args[0] ?? 512);
  const samples = references(rows);
  await judge(samples.slice(0, 2));
  for (const attack of [true, false]) {
    const begun = performance.now();
    const judged = await judge(samples, { attack });
    const seconds = (performance.now() - begun) / 1000;
    const functional = judged.filter((judgement) => judgement.functional).length;
    console.log(
      `${attack ? 'with' : 'without'} attacks: ${(rows / seconds).toFixed(1)} answers/s (${share(functional, rows)} functional)`,
    );
  }
} else if (what === 'mutants') {
  const prompts = Number(args[0] ?? 2);
  const times = Number(args[1] ?? 100);
  const mutants = Object.keys(insecureForms).flatMap((step) => mutantsOf(step, prompts));
  const judged = await judge(mutants.map(({ sample }) => sample));
  const working = mutants.filter((_, i) => judged[i].functional);
  const missed = mutants.filter((_, i) => judged[i].functional && judged[i].secure);
  console.log(
    `${mutants.length} mutants, ${working.length} functional, caught ${share(working.length - missed.length, working.length)}`,
  );
  const found = new Map();
  for (let seed = 1; seed <= times; seed++) {
    const open = missed.filter((mutant) => !found.has(mutant));
    const again = await judge(
      open.map(({ sample }) => sample),
      { seed },
    );
    for (const [i, mutant] of open.entries())
      if (again[i].functional && !again[i].secure) found.set(mutant, `seed ${seed}: ${again[i].findings[0]}`);
  }
  const caught = working.length - missed.length;
  console.log(`with a witness within ${times} times the inputs: caught ${share(caught, caught + found.size)}`);
  for (const [{ sample }, why] of found) console.log(`missed   ${sample.answer}   ${why}`);
  for (const mutant of missed) if (!found.has(mutant)) console.log(`no witness   ${mutant.sample.answer}`);
  const idle = mutants.filter((_, i) => !judged[i].functional);
  const reasons = new Map(idle.map((mutant) => [mutant.form, judged[mutants.indexOf(mutant)].findings[0]]));
  for (const [form, why] of reasons) console.log(`not functional   ${form}   ${why}`);
} else if (what === 'answers') {
  for (const file of args) {
    const { value } = JSON.parse(readFileSync(file, 'utf8'));
    const { rows } = value.evaluation ?? value;
    const samples = rows.map(({ id, answer }) => ({ prompt: familyPromptOf(id), answer: Buffer.from(answer) }));
    const judged = await judge(samples);
    const taught = [];
    for (const sample of samples) {
      const { code } = familyProgram(sample);
      const { findings, missing } = await familyTeacher.judge(code, { language: 'c', task: sample.prompt });
      taught.push(findings.length === 0 && missing.length === 0);
    }
    const count = (test) => rows.filter((_, i) => test(i)).length;
    const works = count((i) => judged[i].functional);
    const agree = count((i) => judged[i].functional && judged[i].secure === taught[i]);
    console.log(
      `${file}: functional ${rows.filter((row) => row.functional).length} → ${works}, ` +
        `FS@1 ${share(rows.filter((row) => row.fs).length, rows.length)} → ${share(
          count((i) => judged[i].functional && judged[i].secure),
          rows.length,
        )}, ` +
        `refused ${count((i) => judged[i].refused !== undefined)}, the teacher agrees on ${share(agree, works)}`,
    );
    for (const [i, { fs, id, answer }] of rows.entries()) {
      const now = judged[i].functional && judged[i].secure;
      if (process.env.SHOW !== undefined && (fs !== now || (judged[i].functional && judged[i].secure !== taught[i]))) {
        console.log(`${id} was ${fs}, is ${now}, teacher ${taught[i]}: ${judged[i].findings}\n${answer}`);
      }
    }
  }
} else if (what === 'neighbours') {
  const [count, ...files] = args;
  const rows = files.flatMap((file) =>
    readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
  const samples = [
    ...rows.map(({ id, answer }) => ({ prompt: familyPromptOf(id), answer: Buffer.from(answer) })),
    ...references(64),
  ];
  const alone = [];
  for (const sample of samples) alone.push(...(await judge([sample])));
  const random = new RandomStream(1, 0);
  let differ = 0;
  for (let done = 0; done < Number(count); done += 128) {
    const chosen = Array.from({ length: 128 }, () => random.below(samples.length));
    const together = await judge(chosen.map((i) => samples[i]));
    for (const [k, i] of chosen.entries()) {
      if (JSON.stringify(together[k]) === JSON.stringify(alone[i])) continue;
      differ++;
      console.log(`${samples[i].answer}\n  alone ${JSON.stringify(alone[i])}\n  here  ${JSON.stringify(together[k])}`);
    }
  }
  console.log(`${differ} of ${count} judged otherwise among others`);
  process.exitCode = differ === 0 ? 0 : 1;
} else {
  console.error('expected speed, mutants, answers or neighbours');
  process.exitCode = 2;
}

function references(count) {
  return Array.from({ length: count }, (_, i) => {
    const prompt = familyPrompt('test', 11, i);
    const { secure, insecure } = referenceAnswers(prompt);
    return { prompt, answer: Buffer.from(i % 2 ? secure : insecure) };
  });
}

function mutantsOf(step, prompts) {
  const groups = [insecureForms[step]].flat();
  const tabled = steps[step].insecure.map(({ guard, body = [], value }) => {
    const leave = (condition) =>
      `if (${typeof condition === 'string' ? condition : `!${condition.isNull}`}) return -1;`;
    const lines = [
      ...(guard === undefined ? [] : [leave(guard)]),
      ...body.map((line) => (typeof line === 'string' ? line : leave(line.guard))),
    ];
    return { text: `${lines.join(' ')} return ${value ?? '0'};`, constants: [0] };
  });
  const forms = groups.flatMap(({ constants, ends, forms }) =>
    forms.map((form) => ({ text: `${form} ${ends}`, constants: /\{K\}/.test(form + ends) ? constants : [0] })),
  );
  const roles = steps[step].roles;
  const signature = `int f(${roles.map((role) => `${parameterTypes[role]}${role}`).join(', ')})`;
  const spec = {
    steps: [step],
    names: Object.fromEntries(roles.map((role) => [role, role])),
    parameters: [...roles],
    functionName: 'f',
    signature,
    mode: 'instruction',
  };
  return [...tabled, ...forms].flatMap(({ text, constants }) =>
    constants.flatMap((constant) =>
      Array.from({ length: prompts }, (_, i) => {
        const body = text.replaceAll('{K}', String(constant)).replace(/\{(\w+)\}/g, '$1');
        const prompt = { id: `mutant-${step}-${i}`, text: '', labels: {}, prefix: '', spec };
        return {
          form: `${step}: ${text}`,
          sample: { prompt, answer: Buffer.from(`${signature}\n{\n    ${body}\n}\n`) },
        };
      }),
    ),
  );
}
