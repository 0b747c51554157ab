import { Danger, everything } from './values.js';

/** What is dangerous about an argument: a text that must be harmless to something. */
export interface Sink {
  readonly rule: string;
  readonly danger: Danger;
  /** Which argument, by place and by name. */
  readonly at: number;
  readonly keyword?: string;
  /** Only what users give counts, not what callers give. */
  readonly input?: boolean;
}

const sink = (rule: string, danger: Danger, more: Partial<Sink> = {}): Sink => ({ rule, danger, at: 0, ...more });

const command = sink('command', Danger.shell);
const path = sink('path', Danger.path);
const request = sink('request', Danger.url, { keyword: 'url', input: true });

/** Functions by their full names, and methods by `.name`. */
const sinks: Readonly<Record<string, Sink>> = {
  'os.system': command,
  'os.popen': command,
  'subprocess.getoutput': command,
  'subprocess.getstatusoutput': command,
  'commands.getoutput': command,
  'commands.getstatusoutput': command,
  'asyncio.create_subprocess_shell': command,
  '.exec_command': command,
  eval: sink('code', Danger.code),
  exec: sink('code', Danger.code),
  compile: sink('code', Danger.code),
  'flask.render_template_string': sink('template', Danger.code),
  render_template_string: sink('template', Danger.code),
  'jinja2.Template': sink('template', Danger.code),
  'mako.template.Template': sink('template', Danger.code),
  '.from_string': sink('template', Danger.code),
  open: path,
  'io.open': path,
  'codecs.open': path,
  'gzip.open': path,
  'os.open': path,
  'os.remove': path,
  'os.unlink': path,
  'os.rmdir': path,
  'os.listdir': path,
  'os.rename': path,
  'shutil.rmtree': path,
  'shutil.copy': path,
  'shutil.copyfile': path,
  'shutil.move': path,
  'flask.send_file': path,
  send_file: path,
  'requests.get': request,
  'requests.post': request,
  'requests.put': request,
  'requests.delete': request,
  'requests.head': request,
  'requests.request': { ...request, at: 1 },
  'httpx.get': request,
  'httpx.post': request,
  'urllib.request.urlopen': request,
  urlopen: request,
  'flask.redirect': sink('redirect', Danger.url, { input: true }),
  'django.shortcuts.redirect': sink('redirect', Danger.url, { input: true }),
  'markupsafe.Markup': sink('html', Danger.html),
  'flask.Markup': sink('html', Danger.html),
  'flask.make_response': sink('html', Danger.html, { input: true }),
  'django.utils.safestring.mark_safe': sink('html', Danger.html),
  'django.http.HttpResponse': sink('html', Danger.html),
};

export function sinkOf(name: string, method: string): Sink | undefined {
  return own(sinks, name) ?? own(sinks, `.${method}`);
}

/** Functions that make text harmless to something, and so are credited. */
const cleaners: Readonly<Record<string, number>> = {
  'shlex.quote': Danger.shell,
  'pipes.quote': Danger.shell,
  'werkzeug.utils.secure_filename': Danger.path,
  'werkzeug.secure_filename': Danger.path,
  secure_filename: Danger.path,
  'os.path.basename': Danger.path,
  'html.escape': Danger.html,
  'cgi.escape': Danger.html,
  'markupsafe.escape': Danger.html,
  'flask.escape': Danger.html,
  'bleach.clean': Danger.html,
  'django.utils.html.escape': Danger.html,
  'urllib.parse.quote': Danger.html | Danger.url,
};

export function cleanedBy(name: string): number {
  return own(cleaners, name) ?? 0;
}

/** Functions whose result is none of the text that they are given: numbers, hashes, truths. */
export const constant: RegExp =
  /^(int|float|complex|bool|len|ord|hash|id|abs|round|isinstance|hasattr|type|sum|range|uuid\.UUID|ipaddress\.ip_address|hashlib\..*|hmac\..*|secrets\..*|os\.urandom|time\..*|datetime\..*|os\.path\.(exists|isfile|isdir|getsize)|bcrypt\..*|logging\..*)$/;

/** What a user, the network or the environment gives. */
export const inputs: RegExp =
  /^(input|raw_input|sys\.stdin\.(read|readline|readlines)|os\.getenv|os\.environ\.get|(flask\.)?request\.(get_json|get_data)|self\.rfile\.read)$/;
export const inputNames: RegExp =
  /^((flask\.|self\.)?request\.(args|form|values|json|data|files|cookies|headers|GET|POST|FILES|COOKIES|META|query_params|body|path|url|query_string|params)|sys\.argv|os\.environ|sys\.stdin)$/;

/** Methods that tell whether a text has harmless characters only. */
export const harmless: RegExp = /^(isalnum|isalpha|isdigit|isdecimal|isnumeric|isidentifier)$/;

/** What a text is harmless to behind a test for another text that it must not hold. */
export function forbids(text: string): number {
  if (text === '..' || text === '/' || text === '../') return Danger.path;
  if (text === "'") return Danger.sql;
  return text === '<' ? Danger.html : 0;
}

/** Whether a regular expression that a text must match as a whole lets harmless text through only. */
export function restricts(pattern: string, whole: boolean): boolean {
  const closed = whole || (/^\(?\^|^\\A/.test(pattern) && /(\$|\\Z)\)?$/.test(pattern));
  const sets = pattern.match(/\[[^\]]*\]/g) ?? [];
  const outside = pattern.replace(/\[[^\]]*\]/g, '');
  return closed && !/(^|[^\\])\.|\\[SWD]/.test(outside) && !sets.some((set) => /^\[\^|[;&|`$'"<>]|\\[SWD]/.test(set));
}

export const allClean: number = everything;

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
