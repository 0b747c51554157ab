import { conversions } from '../engine/formats.js';
import type { RuleFamily } from '../engine/rule.js';
import type { CType } from '../engine/types.js';
import { Source } from '../engine/values.js';
import { names } from '../names.js';

/** Values taken for what they are not. */
export const types: RuleFamily = {
  rules: [
    {
      id: 'type-confusion',
      cwe: 'CWE-843',
      kind: 'type',
      finds: 'memory of one type read as another one: through a pointer, through a union',
      discharge: 'a test of what it is',
    },
    {
      id: 'untrusted-pointer',
      cwe: 'CWE-822',
      kind: 'type',
      finds: 'a number from outside taken for an address',
      discharge: '',
    },
    {
      id: 'wrong-argument',
      cwe: 'CWE-628',
      kind: 'argument',
      finds: 'arguments too few, too many, in the wrong order, or a literal where the function writes',
      discharge: '',
    },
  ],

  access(walk, { node, pointer, write, state: _state }) {
    const [target] = pointer.targets;
    if (target === undefined || pointer.type.kind !== 'pointer') return;
    const { region, offset } = target;
    if (region.kind === 'literal' && write && walk.frame.caller !== null) {
      walk.report('wrong-argument', node, 'the function writes to what it was given, a literal');
    }
    if (!/^(variable|global)$/.test(region.kind) || offset.symbol !== 0 || offset.offset !== 0) return;
    const is = region.type.kind === 'array' ? region.type.of : region.type;
    if (confused(is, pointer.type.to))
      walk.report('type-confusion', node, `${walk.text(node)} is memory of another type`);
  },

  assign(walk, { node, target, key, value, state }) {
    const record = key.lastIndexOf('.');
    if (record > 0) state.store.set(`${key.slice(0, record)}#last`, { ...value, literalText: key.slice(record + 1) });
    const variable = target.type === 'identifier' ? walk.lookup(walk.text(target)) : undefined;
    if (variable?.type.kind === 'pointer' && value.source === Source.input && walk.cameAsNumber(value)) {
      walk.report('untrusted-pointer', node, 'a number from outside becomes an address');
    }
  },

  read(walk, { node, value, state }) {
    if (node.type !== 'field_expression' || node.operator !== '.') return;
    const [base, field] = node.children;
    const place = base === undefined ? undefined : walk.quietly(() => walk.locate(base, state));
    if (place?.type.kind !== 'record' || !place.type.union || field === undefined) return;
    const last = state.store.get(`${place.key}#last`)?.literalText;
    const name = walk.text(field);
    const written = last === undefined ? undefined : place.type.fields?.get(last);
    if (last !== undefined && last !== name && written !== undefined && confused(written, value.type)) {
      walk.report('type-confusion', node, `${last} was written, ${name} is read`);
    }
  },

  cast(walk, { node, type, value }) {
    if (
      type.kind === 'pointer' &&
      value.type.kind === 'int' &&
      walk.sourceOf(value.number) === Source.input &&
      value.targets.length === 0
    ) {
      walk.report('untrusted-pointer', node, 'a number from outside becomes an address');
    }
  },

  call(walk, { node, name, arguments: args }) {
    if (scanners.test(name)) {
      const at = name === 'scanf' ? 0 : 1;
      const format = args[at] === undefined ? undefined : walk.stringOf(args[at].node);
      if (format !== undefined) {
        for (const [i, { letter }] of conversions(format, true)
          .filter(({ suppressed }) => !suppressed)
          .entries()) {
          const given = args[at + 1 + i];
          if (given?.value.type.kind === 'int')
            walk.report(
              'untrusted-pointer',
              node,
              `${walk.text(given.node)} is a number, and scanf writes to that address`,
            );
          if (letter === 'p') walk.report('untrusted-pointer', node, 'an address is read from outside');
        }
      }
    }
    if (printers.test(name)) {
      const at = name === 'printf' ? 0 : 1;
      const format = args[at] === undefined ? undefined : walk.stringOf(args[at].node);
      if (format !== undefined) {
        const wanted = conversions(format).reduce((sum, { stars }) => sum + 1 + stars, 0);
        if (wanted > args.length - at - 1)
          walk.report('wrong-argument', node, `the format wants ${wanted} arguments, and gets ${args.length - at - 1}`);
      }
    }
    if (name === 'memset' && args.length === 3) {
      const [, byte, count] = args.map(({ value }) => value);
      if (
        count?.number.symbol === 0 &&
        count.number.offset === 0 &&
        !(byte?.number.symbol === 0 && byte.number.offset === 0)
      ) {
        walk.report('wrong-argument', node, 'memset of no bytes: byte and count are swapped');
      }
    }
    const own = walk.program.functions.get(name);
    if (own === undefined) return;
    const names = own.parameters.map((parameter) => parameter.name);
    if (names.length > 0 && names[0] !== '' && args.length !== names.length && !walk.text(own.node).includes('...')) {
      walk.report('wrong-argument', node, `${name} has ${names.length} parameters, and gets ${args.length} arguments`);
      return;
    }
    const texts = args.map(({ node }) => walk.text(node));
    for (const [i, text] of texts.entries()) {
      const j = names.indexOf(text);
      if (j > i && text !== names[i] && texts[j] === names[i])
        walk.report('wrong-argument', node, `${text} and ${texts[j]} are swapped`);
    }
  },
};

function confused(is: CType, as: CType): boolean {
  if (is.kind === 'record' && as.kind === 'record')
    return is.name !== as.name && !is.union && !as.union && first(is) !== as.name;
  const scalar = (type: CType): boolean => type.kind === 'int' || type.kind === 'float' || type.kind === 'pointer';
  if (scalar(is) && as.kind === 'record') return true;
  if (!scalar(is) || !scalar(as)) return false;
  if (as.kind === 'int' && as.char) return false;
  return is.kind !== as.kind;
}

// A record may be taken for its first member.
function first(type: CType): string | undefined {
  if (type.kind !== 'record') return undefined;
  const [member] = type.fields?.values() ?? [];
  return member?.kind === 'record' ? member.name : undefined;
}

const scanners = names(/^f?s?scanf$/);
const printers = names(/^f?printf$/);
