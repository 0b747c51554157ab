import type { SyntaxNode } from '../syntax/node.js';
import { allClean, cleanedBy, constant, harmless, inputs, restricts } from './calls.js';
import { Danger, facts, own, type State, union, type Value } from './values.js';
import type { Call, PythonWalk } from './walk.js';

/** What the call of a function that is none of the module gives, and what is learnt where that is true. */
export function resultOf(walk: PythonWalk, { node, name, method, receiver, places, keywords, state }: Call): Value {
  const all = union([
    receiver,
    ...places.map(({ value }) => value),
    ...[...keywords.values()].map(({ value }) => value),
  ]);
  const first = places[0]?.value ?? own;
  const plain = receiver ?? own;
  if (inputs.test(name)) return walk.fresh('input');
  const clean = cleanedBy(name);
  if (clean !== 0) {
    if (first.parts.length === 0 || !walk.holds(node)) return first;
    return { ...first, parts: first.parts.map((part) => ({ ...part, clean: part.clean | clean })) };
  }
  if (harmless.test(method) && receiver !== undefined) return told(receiver, allClean);
  const text = places[method === 'match' || method === 'fullmatch' ? (name.startsWith('re.') ? 1 : 0) : -1]?.value;
  if (text !== undefined) {
    const pattern = name.startsWith('re.') ? first.literal : plain.literal;
    const restricted = pattern !== undefined && restricts(pattern, method === 'fullmatch');
    return { ...union([text]), truth: { yes: restricted ? facts(text, allClean) : [], no: [] } };
  }
  if (name === 're.compile') return first.literal === undefined ? own : { ...own, literal: first.literal };
  if (method === 'startswith' && receiver !== undefined) {
    const host = /^https?:\/\/[^/]+\//.test(first.literal ?? '');
    return told(receiver, receiver.resolved ? Danger.path : host ? Danger.url : 0);
  }
  if (method === 'is_relative_to' && receiver?.resolved) return told(receiver, Danger.path);
  if (name === 'isinstance' && /^(int|float|bool)$/.test(places[1] === undefined ? '' : walk.text(places[1].node)))
    return told(first, allClean);
  if (name === 'all' || name === 'any') {
    const { truth } = first;
    if (truth === undefined) return own;
    return { ...own, truth: name === 'all' ? { yes: truth.yes, no: [] } : { yes: [], no: truth.no } };
  }
  if (constant.test(name)) return { ...own, maker: name };
  if (/^os\.path\.(realpath|abspath)$/.test(name) || method === 'resolve')
    return { ...(method === 'resolve' ? plain : first), resolved: true };
  if (/^os\.path\.common(path|prefix)$/.test(name))
    return first.resolved || places.some(({ value }) => value.resolved) || resolvedIn(walk, places[0]?.node, state)
      ? all
      : own;
  if (name === 'os.path.join' || method === 'joinpath' || method === 'format' || method === 'join')
    return all.parts.length === 0
      ? own
      : { ...all, joined: true, ...(plain.literal !== undefined && { literal: plain.literal }) };
  if (/^(strip|lstrip|rstrip|lower|upper|encode|decode|replace|title|format_map)$/.test(method))
    return { ...plain, ...all };
  if (/^(str|bytes|list|tuple|set|Path|pathlib\.Path)$/.test(name))
    return { ...first, ...(/Path$/.test(name) && places.length > 1 && { ...all, joined: true }) };
  return all.parts.length > 0 ? { ...all, maker: name } : { ...own, ...(name !== '' && { maker: name }) };
}

/** The truth of a test that says to what a value is harmless. */
function told(value: Value, clean: number): Value {
  return { ...own, truth: { yes: facts(value, clean), no: [] } };
}

function resolvedIn(walk: PythonWalk, list: SyntaxNode | undefined, state: State): boolean {
  return list?.children.some((item) => walk.evaluate(item, state).resolved) ?? false;
}
