import { type CNode, child } from '../c/syntax.js';
import type { RuleFamily } from '../engine/rule.js';
import type { Walk } from '../engine/walk.js';
import { names } from '../names.js';

/** Secrets in the code or in plain text, and ciphers and hashes that are broken. */
export const secrets: RuleFamily = {
  rules: [
    {
      id: 'hard-coded-secret',
      cwe: 'CWE-798',
      kind: 'secret',
      finds: 'a password, key or token that the code itself holds',
      discharge: 'the secret read from the environment or a protected store',
    },
    {
      id: 'plain-password',
      cwe: 'CWE-522',
      kind: 'secret',
      finds: 'a password stored, read or compared as plain text: in a file, in a database',
      discharge: 'a salted hash of it',
    },
    {
      id: 'broken-cipher',
      cwe: 'CWE-327',
      kind: 'cipher',
      finds: 'MD5, SHA-1, DES, RC4 or a block cipher in ECB mode',
      discharge: 'SHA-2 or SHA-3; AES or ChaCha20',
    },
  ],

  call(walk, { node, name, arguments: args }) {
    if (broken.test(name)) walk.report('broken-cipher', node, `${name} is broken`);
    // The safe form: without it the choice would be a broken one.
    else if (sound.test(name) && !walk.holds(node)) walk.report('broken-cipher', node, 'a broken one may stand here');
    const texts = args.map(({ node }) => walk.text(node));
    if (compares.test(name)) {
      const [a, b] = args;
      for (const [one, other] of [
        [a, b],
        [b, a],
      ]) {
        const literal = other === undefined ? undefined : walk.stringOf(other.node);
        if (one !== undefined && literal !== undefined && literal.length > 2 && namesSecret(walk.text(one.node))) {
          walk.report('hard-coded-secret', node, `${walk.text(one.node)} is compared with a secret in the code`);
        }
      }
    }
    for (const { node: given } of args) {
      const literal = walk.stringOf(given);
      if (literal !== undefined && shown.test(literal))
        walk.report('hard-coded-secret', node, 'the text holds a secret');
    }
    const plain = (i: number): boolean =>
      plainName.test(texts[i] ?? '') && !/hash|digest|salt|enc/i.test(texts[i] ?? '');
    const stream = texts[0] ?? '';
    if (
      (name === 'fprintf' && !/^std(out|err)$/.test(stream) && args.slice(2).some((_, i) => plain(i + 2))) ||
      (puts.test(name) && plain(0) && !/^std(out|err)$/.test(texts.at(-1) ?? ''))
    ) {
      walk.report('plain-password', node, 'a password is written in plain text');
    } else if (
      (name === 'fscanf' && args.some((_, i) => i > 1 && plain(i))) ||
      (name === 'fgets' && plain(0) && texts[2] !== 'stdin')
    ) {
      walk.report('plain-password', node, 'a password is read in plain text');
    } else if (binds.test(name) && plain(2)) {
      walk.report('plain-password', node, 'a password gets to a database in plain text');
    } else if (formats.test(name)) {
      const format = args.map(({ node }) => walk.stringOf(node)).find((text) => text !== undefined);
      if (
        format !== undefined &&
        /\b(select|insert|update)\b/i.test(format) &&
        /pass/i.test(format) &&
        args.some((_, i) => plain(i))
      ) {
        walk.report('plain-password', node, 'a password gets to a database in plain text');
      }
    }
  },

  assign(walk, { node, target, value }) {
    const literal = value.targets[0]?.region.text;
    if (literal !== undefined && namesSecret(nameOf(walk, target)) && secretText(literal)) {
      walk.report('hard-coded-secret', node, `${nameOf(walk, target)} holds a secret from the code`);
    }
    // The safe form: without it the secret would be in the code.
    const { origin } = value;
    if (origin !== undefined && stores.test(origin.callee) && namesSecret(nameOf(walk, target))) {
      if (!walk.holds(origin.node)) walk.report('hard-coded-secret', node, 'a secret in the code may stand here');
    }
  },

  unit(walk) {
    const visit = (node: CNode): void => {
      if (node.type === 'init_declarator') {
        const value = child(node, 'value');
        const declarator = child(node, 'declarator');
        const name = declarator === undefined ? '' : nameOf(walk, declarator);
        const text = value === undefined ? undefined : walk.stringOf(value);
        const bytes =
          value?.type === 'initializer_list' &&
          value.children.length >= 8 &&
          value.children.every(({ type }) => type === 'number_literal');
        const numbers = bytes && new Set(value.children.map((item) => walk.text(item))).size > 2;
        if (
          (text !== undefined && namesSecret(name) && secretText(text)) ||
          (numbers && /(^|_)(key|secret|aes_?key)(_|\d|$)/i.test(name))
        ) {
          walk.report('hard-coded-secret', node, `${name} holds a secret from the code`);
        }
      }
      for (const item of node.children) visit(item);
    };
    visit(walk.program.source.root);
  },
};

const broken = names(
  /^(MD[245](_(Init|Update|Final))?|EVP_md[245]|SHA1(_(Init|Update|Final))?|EVP_sha1|DES_\w*(encrypt|crypt|set_key)\w*|EVP_des_\w+|EVP_(rc4|rc2)\w*|RC4(_set_key)?|RC2_\w+|EVP_\w+_ecb|AES_ecb_encrypt|EVP_bf_\w+)$/,
);
const sound = names(
  /^(EVP_(sha(224|256|384|512)|sha3_\d+|blake2\w+|aes_\w+_(cbc|ctr|gcm|ccm|ocb|xts|siv)|chacha20\w*)|SHA(224|256|384|512))$/,
);
/** What keeps secrets, outside the code. */
const stores = /^(secure_)?getenv$|^getpass$|column_text$|^(read|load|fetch|get|keyring|vault)_\w+$/;
const secretName = /(pass(word|wd|phrase)|pwd|secret|api_?key|token|pin_?code|credential)\w*$|(^|[_.>])(pin|pass)$/i;
const plainName = /pass(word|wd|phrase)?(?![a-z])|pwd/i;
const shown = /\b(token|password|secret|api.?key)\b\s*(is|[:=])\s*[A-Za-z0-9+/!@#$_-]{8,}/i;

function secretText(text: string): boolean {
  return (
    (text.length >= 4 &&
      !/[\s:%/]|^\w+\.\w{1,4}$|^[A-Z_]+$|password|token|secret/i.test(text) &&
      /[A-Za-z0-9]/.test(text)) ||
    (/^[\x21-\x7e]{6,}$/.test(text) && /\d/.test(text) && !/[%/]/.test(text))
  );
}

// By its last word; the longest names are far shorter, and an expression may be as long as it likes.
function namesSecret(text: string): boolean {
  return secretName.test(text.slice(-200));
}

/** What is declared or assigned to, without stars and what stands in brackets. */
function nameOf(walk: Walk, node: CNode): string {
  const [name] = walk.text(node).split('[', 1) as [string];
  return name.replace(/[\s*]/g, '');
}

const compares = names(/^str(n?case)?n?cmp$|^memcmp$/);
const puts = names(/^f(puts|write)$/);
const binds = names(/^sqlite3_bind_text/);
const formats = names(/^snprintf$|^sprintf$/);
