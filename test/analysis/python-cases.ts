import type { Case } from './cases.js';

/** Python: what is found in it, and what is credited. */
export const pythonCases: Case[] = [
  {
    name: 'a command with text from outside',
    code: 'import os\ndef f(name):\n    os.system("ls " + name)\n',
    findings: [['command', 'os.system("ls " + name)']],
  },
  {
    name: 'a command through a shell, by another name and an f-string',
    code: 'from subprocess import run as r\ndef f(name):\n    cmd = f"ls {name}"\n    r(cmd, shell=True)\n',
    findings: [['command', 'r(cmd, shell=True)']],
  },
  {
    name: 'a command without a shell',
    code: 'import subprocess\ndef f(name):\n    subprocess.run(["ls", name], check=True)\n',
    spans: [['command', 'subprocess.run(["ls", name], check=True)']],
  },
  {
    name: 'a command with its text quoted',
    code: 'import os, shlex\ndef f(name):\n    os.system("ls " + shlex.quote(name))\n',
    spans: [['command', 'shlex.quote(name)']],
  },
  {
    name: 'a command of one of fixed words',
    code: 'import os\ndef f(name):\n    if name not in ALLOWED:\n        raise ValueError(name)\n    os.system("svc " + name)\n',
    spans: [['command', 'if name not in ALLOWED:\n        raise ValueError(name)']],
  },
  {
    name: 'a guard twice: the second one earns nothing',
    code: 'import os\ndef f(name):\n    if not name.isalnum():\n        return\n    if not name.isalnum():\n        return\n    os.system("svc " + name)\n',
    spans: [['command', 'if not name.isalnum():\n        return']],
  },
  {
    name: 'a guard on something else earns nothing',
    code: 'import os\ndef f(name, other):\n    if not other.isalnum():\n        return\n    os.system("svc " + name)\n',
    findings: [['command', 'os.system("svc " + name)']],
  },
  {
    name: 'a guard of another function',
    code: 'import os, re\ndef ok(name):\n    return re.fullmatch(r"[a-z]+", name) is not None\ndef check(name):\n    if not re.match(r"^[a-z]+$", name):\n        raise ValueError(name)\ndef f(name):\n    check(name)\n    os.system("svc " + name)\n',
    spans: [['command', 'if not re.match(r"^[a-z]+$", name):\n        raise ValueError(name)']],
  },
  {
    name: 'a pattern that lets everything through',
    code: 'import os, re\ndef f(name):\n    if not re.match(r"^.*$", name):\n        return\n    os.system("svc " + name)\n',
    findings: [['command', 'os.system("svc " + name)']],
  },
  {
    name: 'a constant command',
    code: 'import os\ndef f():\n    os.system("ls /srv")\n',
  },
  {
    name: 'a statement put together',
    code: 'def f(cursor, user):\n    query = "SELECT * FROM t WHERE u = \'%s\'" % user\n    cursor.execute(query)\n',
    findings: [['sql', 'cursor.execute(query)']],
  },
  {
    name: 'a statement with format',
    code: 'def f(db, user):\n    return db.execute("SELECT * FROM t WHERE u = {}".format(user)).fetchall()\n',
    findings: [['sql', 'db.execute("SELECT * FROM t WHERE u = {}".format(user))']],
  },
  {
    name: 'a statement with a placeholder',
    code: 'def f(cursor, user):\n    cursor.execute("SELECT * FROM t WHERE u = ?", (user,))\n',
    spans: [['placeholders', 'cursor.execute("SELECT * FROM t WHERE u = ?", (user,))']],
  },
  {
    name: 'a statement with a number',
    code: 'def f(cursor, user):\n    cursor.execute("SELECT * FROM t WHERE u = %d" % int(user))\n',
  },
  {
    name: 'code from outside',
    code: 'def f(text):\n    return eval(text)\n',
    findings: [['code', 'eval(text)']],
  },
  {
    name: 'a literal from outside',
    code: 'import ast\ndef f(text):\n    return ast.literal_eval(text)\n',
    spans: [['code', 'ast.literal_eval(text)']],
  },
  {
    name: 'a template from outside',
    code: 'from flask import Flask, request, render_template_string\napp = Flask(__name__)\n@app.route("/")\ndef f():\n    return render_template_string("<p>" + request.args.get("q") + "</p>")\n',
    findings: [['template', 'render_template_string("<p>" + request.args.get("q") + "</p>")']],
  },
  {
    name: 'objects from data of others',
    code: 'import pickle, yaml\ndef f(data):\n    return pickle.loads(data), yaml.load(data)\n',
    findings: [
      ['deserialisation', 'pickle.loads(data)'],
      ['deserialisation', 'yaml.load(data)'],
    ],
  },
  {
    name: 'plain data of others',
    code: 'import json, yaml\ndef f(data):\n    return json.loads(data), yaml.safe_load(data), yaml.load(data, Loader=yaml.SafeLoader)\n',
    spans: [
      ['safe loader', 'yaml.safe_load(data)'],
      ['safe loader', 'yaml.load(data, Loader=yaml.SafeLoader)'],
    ],
  },
  {
    name: 'a path below a directory',
    code: 'import os\ndef f(name):\n    with open(os.path.join("/srv", name)) as file:\n        return file.read()\n',
    findings: [['path', 'open(os.path.join("/srv", name))']],
  },
  {
    name: 'a path that the caller gives whole',
    code: 'def f(path):\n    with open(path) as file:\n        return file.read()\n',
  },
  {
    name: 'a resolved path that starts with its directory',
    code: 'import os\ndef f(name):\n    path = os.path.realpath(os.path.join(BASE, name))\n    if not path.startswith(BASE + os.sep):\n        raise PermissionError(name)\n    return open(path).read()\n',
    spans: [['path', 'if not path.startswith(BASE + os.sep):\n        raise PermissionError(name)']],
  },
  {
    name: 'a path that starts with its directory, unresolved',
    code: 'import os\ndef f(name):\n    path = os.path.join(BASE, name)\n    if not path.startswith(BASE):\n        raise PermissionError(name)\n    return open(path).read()\n',
    findings: [['path', 'open(path)']],
  },
  {
    name: 'a path with what pathlib says of it',
    code: 'from pathlib import Path\ndef f(name):\n    path = (BASE / name).resolve()\n    if not path.is_relative_to(BASE):\n        raise PermissionError(name)\n    return open(path).read()\n',
    spans: [['path', 'if not path.is_relative_to(BASE):\n        raise PermissionError(name)']],
  },
  {
    name: 'a file name made harmless',
    code: 'import os\nfrom werkzeug.utils import secure_filename\nfrom flask import request\ndef f():\n    name = secure_filename(request.files["f"].filename)\n    return open(os.path.join("/srv", name)).read()\n',
    spans: [['path', 'secure_filename(request.files["f"].filename)']],
  },
  {
    name: 'an archive unpacked anywhere, and not',
    code: 'import tarfile\ndef f(path):\n    with tarfile.open(path) as tar:\n        tar.extractall("/srv")\ndef g(path):\n    with tarfile.open(path) as tar:\n        tar.extractall("/srv", filter="data")\n',
    findings: [['archive', 'tar.extractall("/srv")']],
    spans: [['path', 'tar.extractall("/srv", filter="data")']],
  },
  {
    name: 'a page with text as it came',
    code: 'from flask import Flask, request\napp = Flask(__name__)\n@app.route("/")\ndef f():\n    name = request.args.get("name", "")\n    return "<h1>" + name + "</h1>"\n',
    findings: [['html', 'return "<h1>" + name + "</h1>"']],
  },
  {
    name: 'a page with text escaped',
    code: 'from flask import Flask, request\nfrom markupsafe import escape\napp = Flask(__name__)\n@app.route("/")\ndef f():\n    name = request.args.get("name", "")\n    return f"<h1>{escape(name)}</h1>"\n',
    spans: [['escape', 'escape(name)']],
  },
  {
    name: 'templates that escape nothing, and such as do',
    code: 'import jinja2\na = jinja2.Environment()\nb = jinja2.Environment(autoescape=True)\n',
    findings: [['no-escaping', 'jinja2.Environment()']],
    spans: [['escape', 'jinja2.Environment(autoescape=True)']],
  },
  {
    name: 'XML of others, by parsers that follow entities and such as do not',
    code: 'import xml.etree.ElementTree as ET\nfrom lxml import etree\ndef f(data):\n    ET.fromstring(data)\n    etree.fromstring(data)\n    etree.fromstring(data, etree.XMLParser(resolve_entities=False))\n',
    findings: [
      ['xml', 'ET.fromstring(data)'],
      ['xml', 'etree.fromstring(data)'],
    ],
    spans: [['parser', 'etree.XMLParser(resolve_entities=False)']],
  },
  {
    name: 'a request to where a user says',
    code: 'import requests\nfrom flask import request, redirect\ndef f():\n    url = request.args["url"]\n    requests.get(url)\n    return redirect(url)\n',
    findings: [
      ['request', 'requests.get(url)'],
      ['redirect', 'redirect(url)'],
    ],
  },
  {
    name: 'a request to one of fixed hosts',
    code: 'import requests\nfrom urllib.parse import urlparse\nfrom flask import request\ndef f():\n    url = request.args["url"]\n    if urlparse(url).hostname not in HOSTS:\n        return None\n    return requests.get(url)\n',
    spans: [['allow-list', 'if urlparse(url).hostname not in HOSTS:\n        return None']],
  },
  {
    name: 'certificates that nobody tests',
    code: 'import requests, ssl\ndef f(url):\n    requests.get(url, verify=False)\n    return ssl._create_unverified_context()\n',
    findings: [
      ['certificate', 'requests.get(url, verify=False)'],
      ['certificate', 'ssl._create_unverified_context()'],
    ],
  },
  {
    name: 'a signature that nobody tests',
    code: 'import jwt\ndef f(token):\n    return jwt.decode(token, options={"verify_signature": False})\n',
    findings: [['signature', 'jwt.decode(token, options={"verify_signature": False})']],
  },
  {
    name: 'hashes and ciphers that are broken',
    code: 'import hashlib\nfrom Crypto.Cipher import AES, DES\ndef f(data, key):\n    hashlib.md5(data)\n    hashlib.md5(data, usedforsecurity=False)\n    DES.new(key)\n    AES.new(key, AES.MODE_ECB)\n    return hashlib.sha256(data)\n',
    findings: [
      ['broken-cipher', 'hashlib.md5(data)'],
      ['broken-cipher', 'DES.new(key)'],
      ['broken-cipher', 'AES.MODE_ECB'],
    ],
    spans: [['cipher', 'hashlib.md5(data, usedforsecurity=False)']],
  },
  {
    name: 'a password hashed in no time',
    code: 'import hashlib, bcrypt\ndef f(password):\n    a = hashlib.sha256(password.encode()).hexdigest()\n    return a, bcrypt.hashpw(password, bcrypt.gensalt())\n',
    findings: [['password-hash', 'hashlib.sha256(password.encode())']],
  },
  {
    name: 'tokens that can be foretold, and such as cannot',
    code: 'import random, secrets\ndef f():\n    token = "".join(random.choice("abc") for _ in range(8))\n    salt = secrets.token_hex(16)\n    key = random.choice([1, 2])\n    colour = random.choice(["red", "blue"])\n    return token, salt, key, colour\ndef make_password():\n    return str(random.random())\n',
    findings: [
      ['weak-random', 'random.choice("abc")'],
      ['weak-random', 'random.random()'],
    ],
    spans: [['random', 'secrets.token_hex(16)']],
  },
  {
    name: 'a temporary name',
    code: 'import tempfile\ndef f():\n    return open(tempfile.mktemp(), "w"), tempfile.mkstemp()\n',
    findings: [['temporary-name', 'tempfile.mktemp()']],
  },
  {
    name: 'a file for everybody',
    code: 'import os\ndef f(path):\n    os.chmod(path, 0o777)\n    os.chmod(path, 0o600)\n',
    findings: [['permissions', 'os.chmod(path, 0o777)']],
  },
  {
    name: 'secrets in the code, and elsewhere',
    code: 'import os\nPASSWORD = "hunter22"\nAPI_KEY = os.environ["API_KEY"]\nPASSWORD_FIELD = "password"\ndb = connect(user="me", password="s3cret!x")\n',
    findings: [
      ['hard-coded-secret', '"hunter22"'],
      ['hard-coded-secret', '"s3cret!x"'],
    ],
  },
  {
    name: 'an assertion on what a user gives',
    code: 'def f():\n    n = input()\n    assert n.isdigit()\n    return n\n',
    findings: [['assertion', 'assert n.isdigit()']],
  },
  {
    name: 'a server in debug mode',
    code: 'from flask import Flask\napp = Flask(__name__)\napp.run(debug=True)\n',
    findings: [['debug', 'app.run(debug=True)']],
  },
  {
    name: 'loops, exceptions, classes, matches and comprehensions are walked without harm',
    code: 'import os\nclass A:\n    def __init__(self, n):\n        self.n = n\n    async def go(self, xs, *rest, **more):\n        for i, x in enumerate(xs):\n            if x is None:\n                continue\n            elif x == 1:\n                break\n            else:\n                self.n += x\n        while self.n > 0:\n            self.n -= 1\n        try:\n            y = [z for z in xs if z]\n        except (ValueError, KeyError) as e:\n            raise RuntimeError("x") from e\n        finally:\n            pass\n        match xs:\n            case [a, b]:\n                return a\n            case _:\n                return lambda q: q + 1\n',
  },
];
