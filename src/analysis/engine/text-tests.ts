import { type CNode, child } from '../c/syntax.js';
import { partsOf } from './symbols.js';
import { characterSet, Source, type State, type Value } from './values.js';
import type { Walk } from './walk.js';

const classes: Readonly<Record<string, (code: number) => boolean>> = {
  isalpha: (code) => (code >= 65 && code <= 90) || (code >= 97 && code <= 122),
  isdigit: (code) => code >= 48 && code <= 57,
  isalnum: (code) => (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122),
  isxdigit: (code) => (code >= 48 && code <= 57) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102),
  isupper: (code) => code >= 65 && code <= 90,
  islower: (code) => code >= 97 && code <= 122,
};

/** Learns from `call operator other`, where the call is one of those that look at text. */
export function learnString(walk: Walk, operator: string, call: CNode, state: State, other?: Value): void {
  const name = walk.calleeOf(call);
  const nodes = child(call, 'arguments')?.children ?? [];
  const against = other === undefined ? { lo: 0, hi: 0 } : walk.range(other.number, state.facts);
  const zero = against.lo === 0 && against.hi === 0;
  const [first, second] = nodes as [CNode | undefined, CNode | undefined];
  if (first === undefined) return;
  const test = classes[name];
  if (test !== undefined && Object.hasOwn(classes, name)) {
    const character = walk.evaluate(first, state);
    const holds = operator === '!=' && zero;
    if (character.elementOf !== undefined && (holds || (operator === '==' && zero))) {
      state.facts.allowElement(
        character.elementOf,
        characterSet((code) => test(code) === holds),
      );
    }
    if (holds && character.number.symbol !== 0) state.facts.narrow(character.number.symbol, { lo: 48, hi: 122 });
    return;
  }
  const absent = operator === '==' && zero;
  const text = second === undefined ? undefined : walk.stringOf(second);
  switch (name) {
    case 'strchr':
    case 'strrchr':
    case 'memchr': {
      const content = walk.content(walk.evaluate(first, state), state);
      const code = second === undefined ? null : walk.evaluate(second, state);
      if (absent && code !== null && code.number.symbol === 0) remove(content, [code.number.offset], state);
      // strchr("allowed", c): c is one of them.
      const allowed = walk.stringOf(first);
      if (!absent && operator === '!=' && allowed !== undefined && code?.elementOf !== undefined) {
        state.facts.allowElement(
          code.elementOf,
          characterSet((at) => allowed.includes(String.fromCharCode(at))),
        );
      }
      return;
    }
    case 'strpbrk':
      if (absent && text !== undefined) {
        const content = walk.content(walk.evaluate(first, state), state);
        remove(
          content,
          [...text].map((char) => char.charCodeAt(0)),
          state,
        );
      }
      return;
    case 'strstr':
      if (absent && text?.startsWith('..')) {
        const content = walk.content(walk.evaluate(first, state), state);
        for (const part of [content.number.symbol, ...partsOf(content)]) state.facts.mark(`no dots:${part}`);
      }
      return;
    case 'strcmp':
    case 'strcasecmp':
      if (absent) {
        for (const [node, counterpart] of [
          [first, second],
          [second, first],
        ]) {
          if (node === undefined || counterpart === undefined) continue;
          const own =
            walk.stringOf(counterpart) !== undefined ||
            walk.content(walk.evaluate(counterpart, state), state).source === Source.own;
          if (!own) continue;
          const content = walk.content(walk.evaluate(node, state), state);
          for (const part of [content.number.symbol, ...partsOf(content)])
            state.facts.allow(
              part,
              characterSet((code) => classes.isalnum?.(code) ?? false),
            );
        }
      }
      return;
    case 'strncmp':
    case 'memcmp':
      if (absent) {
        for (const node of [first, second]) {
          if (node === undefined) continue;
          const content = walk.content(walk.evaluate(node, state), state);
          if (state.facts.has(`resolved:${content.number.symbol}`)) state.facts.mark(`inside:${content.number.symbol}`);
        }
      }
      return;
    case 'strspn':
      if (text !== undefined && other !== undefined) {
        const content = walk.content(walk.evaluate(first, state), state);
        const length = walk.length(walk.evaluate(first, state), state);
        const all = operator === '==' && other.number.symbol === length.symbol && other.number.offset === length.offset;
        if (all)
          for (const part of [content.number.symbol, ...partsOf(content)])
            state.facts.allow(
              part,
              characterSet((code) => text.includes(String.fromCharCode(code))),
            );
      }
      return;
    case 'strcspn':
      return;
  }
}

function remove(content: Value, codes: readonly number[], { facts }: State): void {
  for (const part of [content.number.symbol, ...partsOf(content)])
    facts.allow(
      part,
      characterSet((code) => !codes.includes(code)),
    );
}
