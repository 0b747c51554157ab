import { Danger, type Value } from './values.js';
import type { Call, PythonWalk } from './walk.js';

const literal = (argument: { value: Value } | undefined): string | undefined => argument?.value.literal;
const processes = /^subprocess\.(run|call|check_call|check_output|Popen)$/;
const statements = /^(execute|executemany|executescript|raw|read_sql|read_sql_query)$/;
const parsers =
  /^(xml\.etree\.(c?ElementTree)\.(parse|fromstring|iterparse|XML)|xml\.dom\.(minidom|pulldom)\.(parse|parseString)|xml\.sax\.(parse|parseString)|lxml\.etree\.(parse|fromstring|XML))$/;

/** Rules on calls that look at more than one argument, or at none. */
export function checkCall(walk: PythonWalk, call: Call): void {
  const { node, name, method, places, keywords, receiver, state } = call;
  const [first, second] = places;
  const given = [...places, ...keywords.values()];
  const flag = (key: string): string | undefined => literal(keywords.get(key));

  if (processes.test(name) && first !== undefined) {
    const bad = state.dangerous(first.value, Danger.shell).length > 0;
    if (flag('shell') === 'True') {
      if (bad) walk.report('command', node, 'text from outside gets to a shell');
      // The safe form: with a shell the same text would be a command.
    } else if (bad && first.value.list && !walk.holds(node))
      walk.report('command', node, 'text from outside gets to a shell');
  }

  if (statements.test(method) && first !== undefined && isStatement(call)) {
    if (state.dangerous(first.value, Danger.sql).length > 0)
      walk.report('sql', node, 'text from outside gets into an SQL statement');
    else if (
      first.value.parts.length === 0 &&
      second !== undefined &&
      state.dangerous(second.value, Danger.sql).length > 0
    ) {
      if (!walk.holds(node)) walk.report('sql', node, 'text from outside gets into an SQL statement');
    }
  }

  if (
    /^(pickle|cPickle|_pickle|dill|cloudpickle|marshal|shelve|jsonpickle|joblib)\.(loads?|open|decode|Unpickler)$/.test(
      name,
    )
  ) {
    if (literal(first) === undefined || first?.value.parts.length)
      walk.report('deserialisation', node, 'objects are made from data of others');
  }
  if (/^yaml\.(safe_load|safe_load_all)$/.test(name)) {
    if (given.some(({ value }) => value.literal === undefined) && !walk.holds(node))
      walk.report('deserialisation', node, 'objects are made from data of others');
  } else if (/^yaml\.(load|load_all|unsafe_load|full_load)$/.test(name)) {
    const loader = keywords.get('Loader') ?? second;
    const safe = loader !== undefined && /Safe|Base/.test(walk.text(loader.node));
    if (!safe || !walk.holds(node)) walk.report('deserialisation', node, 'objects are made from data of others');
  }
  if (name === 'ast.literal_eval' && first !== undefined && state.dangerous(first.value, Danger.code).length > 0) {
    if (!walk.holds(node)) walk.report('code', node, 'text from outside is run as code');
  }

  if (/^hashlib\.(new|md5|sha1|sha224|sha256|sha384|sha512|blake2b|sha3_\w+)$/.test(name)) {
    const algorithm = name === 'hashlib.new' ? (literal(first) ?? '') : name.slice(8);
    const data = name === 'hashlib.new' ? second : first;
    const broken = /^(md[245]|sha-?1)$/i.test(algorithm);
    const unused = flag('usedforsecurity') === 'False';
    if (broken && (!unused || !walk.holds(node))) walk.report('broken-cipher', node, `${algorithm} is broken`);
    else if (!broken && data !== undefined && /passw|pwd/i.test(walk.text(data.node)))
      walk.report('password-hash', node, 'a password is hashed so fast that it can be guessed');
  }
  if (
    /(^|\.)(DES3?|ARC[24]|Blowfish|CAST)\.new$|(^|\.)algorithms\.(ARC4|TripleDES|Blowfish|IDEA|CAST5)$|(^|\.)modes\.ECB$/.test(
      name,
    )
  )
    walk.report('broken-cipher', node, `${name} is broken`);
  for (const { node: argument } of given) {
    const its = walk.dotted(argument);
    if (/(^|\.)MODE_ECB$|^ssl\.PROTOCOL_(SSLv\w+|TLSv1(_1)?)$/.test(its))
      walk.report('broken-cipher', argument, `${its} is broken`);
  }

  if (/^(tempfile\.mktemp|os\.tempnam|os\.tmpnam)$/.test(name))
    walk.report('temporary-name', node, 'another may have this file by the time it is opened');
  if (name === 'os.chmod' && second !== undefined) {
    const mode = literal(second) ?? '';
    if (/^0o?[0-7]*[2367]$/.test(mode) || /S_IWOTH|S_IRWXO/.test(walk.text(second.node)))
      walk.report('permissions', node, 'everybody may write to this file');
  }

  if (
    /^(requests|httpx|aiohttp)\.|(^|\.)(get|post|put|delete|head|patch|request|Client|AsyncClient)$/.test(name) &&
    flag('verify') === 'False'
  )
    walk.report('certificate', node, 'the certificate is not tested');
  if (/^ssl\._create_unverified_context$|(^|\.)AutoAddPolicy$|(^|\.)WarningPolicy$/.test(name))
    walk.report('certificate', node, 'whose key this is nobody tests');
  if (/^jwt\.decode$/.test(name)) {
    const options = keywords.get('options');
    if (flag('verify') === 'False' || (options && /verify_signature["']\s*:\s*False/.test(walk.text(options.node))))
      walk.report('signature', node, 'the signature of this token is not tested');
  }

  if (method === 'extractall' && keywords.get('filter') === undefined && receiver?.maker?.startsWith('tarfile.'))
    walk.report('archive', node, 'an archive says where its files go');
  else if (
    method === 'extractall' &&
    /^(data|tar)$/.test(flag('filter') ?? '') &&
    receiver?.maker?.startsWith('tarfile.')
  ) {
    if (!walk.holds(node)) walk.report('archive', node, 'an archive says where its files go');
  }
  if (parsers.test(name) && first !== undefined && literal(first) === undefined) {
    const parser = keywords.get('parser') ?? second;
    if (parser === undefined) walk.report('xml', node, 'this parser follows entities');
  }
  if (/^lxml\..*XMLParser$/.test(name) && (flag('resolve_entities') !== 'False' || !walk.holds(node)))
    walk.report('xml', node, 'this parser follows entities');
  if (/^defusedxml\./.test(name) && first !== undefined && first.value.parts.length > 0 && !walk.holds(node))
    walk.report('xml', node, 'this parser follows entities');

  if (/(^|\.)Environment$/.test(name) && name.startsWith('jinja2')) {
    const escapes = keywords.get('autoescape');
    if (escapes === undefined || literal(escapes) === 'False' || !walk.holds(node))
      walk.report('no-escaping', node, 'these templates escape nothing');
  }
  if (method === 'run' && flag('debug') === 'True')
    walk.report('debug', node, 'a server in debug mode runs code for whoever asks');
  for (const [key, argument] of keywords)
    if (isSecret(key, argument.value) && argument.node.type === 'string')
      walk.report('hard-coded-secret', argument.node, `${key} is in the code`);
}

function isStatement({ places, method, receiver, name }: Call): boolean {
  if (/^(executemany|executescript|read_sql|read_sql_query)$/.test(method)) return true;
  const text = places[0]?.value.literal ?? '';
  return (
    /\b(select|insert|update|delete|create|drop|alter|where|from|pragma|call|exec)\b/i.test(text) ||
    /cur|conn|db|session|engine|objects/i.test(name) ||
    (receiver?.maker ?? '').includes('cursor')
  );
}

/** Whether a name is that of a secret, and its value one that somebody could use. */
export function isSecret(name: string, { literal: text, parts, joined }: Value): boolean {
  if (text === undefined || parts.length > 0 || joined) return false;
  if (!/(passw(or)?d|passwd|pwd|secret|token|api_?key|private_?key|secret_?key|access_?key)$/i.test(name)) return false;
  if (text.length < 4 || /[{}<>\s]|^\$|^https?:|^\/|\.(txt|pem|json|key)$/.test(text)) return false;
  const letters = (of: string): string => of.toLowerCase().replace(/[^a-z]/g, '');
  return (
    letters(text) !== letters(name) && !/^(none|null|change_?me|your|xxx|placeholder|example|test_?token)/i.test(text)
  );
}
