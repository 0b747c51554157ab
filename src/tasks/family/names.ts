import type { RandomStream } from '../../dataset/random.js';
import type { Role } from './spec.js';
import { locals } from './steps.js';

/** Names that programmers give to a parameter of each role. */
export const roleNames: Readonly<Record<Role, readonly string[]>> = {
  arr: words('arr items values data table nums list cells vec'),
  n: words('n count len size nitems total_n num cnt'),
  idx: words('idx i pos at slot k which offset'),
  val: words('val v item x_new elem num_val w new_val'),
  dst: words('dst dest buf target out_buf name_buf to text'),
  cap: words('cap avail max limit room bufsz maxlen space'),
  src: words('src source input from given incoming orig s_in'),
  s: words('str word label title s name token string'),
  msg: words('msg message line note info banner greeting reply'),
  a: words('a x left base first lhs start u'),
  b: words('b y right extra second rhs step delta'),
  num: words('total amount bytes whole sum_all points cost money'),
  den: words('parts divisor d groups shares per people chunks'),
  node: words('p entry head elt cur rec obj link'),
  pp: words('handle holder ref owner pbuf slot_p keeper cell'),
  sz: words('nbytes want length need amount_b nb req alloc_n'),
  outp: words('out result res ret answer dest_v rv outv'),
  outs: words('clone copy dup fresh newstr twin saved copied'),
  mem: words('mem block chunk area region zone page arena'),
  arg: words('host user peer arg server addr machine who'),
  dir: words('dir root parent folder basedir home where tree'),
  fname: words('fname file rel leaf doc member part fn_name'),
  cfg: words('config settings logfile conf profile options rcfile setup'),
  fin: words('stream infile fh fin reader inp feed pipe_in'),
  lbuf: words('row linebuf rbuf tokbuf wbuf textbuf cbuf field'),
  lcap: words('width lsize rmax tmax wcap bmax cells_n lim'),
  blob: words('blob payload packet raw body msgdata content wire_in'),
  blen: words('plen blen dlen nraw bodylen nread got clen'),
  frame: words('frame fbuf wire pkt hdrbuf slotbuf dstbuf outbuf'),
};
const allNames: readonly string[] = Object.values(roleNames).flat();

const verbs = words('update handle process build load save apply check make run fill sync push merge scan prepare');
const nouns = words(
  'entry user record frame buffer item task order report session device account packet block job list',
);

/**
 * Words that no parameter and no function is named after: keywords of C to C23 and of C++, macros and functions of the headers that
 * programs see, and the variables and fields that the code of a step mentions.
 */
export const reserved: ReadonlySet<string> = new Set([
  ...locals,
  ...words('node next key pad value is_plain ping main'),
  ...words(
    'alignas alignof auto bool break case char const constexpr continue default do double else enum extern false',
  ),
  ...words(
    'float for goto if inline int long nullptr register restrict return short signed sizeof static static_assert',
  ),
  ...words('struct switch thread_local true typedef typeof union unsigned void volatile while asm'),
  ...words(
    'and bitand bitor catch class compl delete explicit export friend mutable namespace new not operator or private',
  ),
  ...words('protected public template this throw try typeid typename using virtual xor'),
  ...words('size_t ssize_t FILE NULL EOF BUFSIZ INT_MAX stdin stdout stderr errno assert linux unix'),
  ...words(
    'malloc calloc realloc free abort exit alarm fork system remove printf fprintf sprintf snprintf scanf fscanf',
  ),
  ...words(
    'puts fputs fopen fclose fgets fgetc getc putc strcpy strncpy strcat strncat strlen strstr strchr strpbrk strcmp',
  ),
  ...words('memcpy memset memchr memcmp index isalnum'),
]);

const syllables = words(
  'ba ko lu te mi ra so ne du pi ga ve zo fa hu ti ro la me su qui xa wo ju no da ke vi po bre sta cla',
);
const endings = ['', '', ...words('n r t s x m k l')];
const suffixes = words('a b in new old len ptr x');
const letters = [...'abcdefghiklmnopqrstuvwxyz'];

/** A name for a parameter of a role: with the given probability one that no list has. It is not in `taken`. */
export function parameterName(random: RandomStream, role: Role, randomNames: number, taken: Set<string>): string {
  return fresh(taken, () => (random.chance(randomNames) ? identifier(random) : random.pick(roleNames[role])));
}

/** A name for a variable of no particular role. */
export function anyName(random: RandomStream, taken: Set<string>): string {
  return fresh(taken, () => (random.chance(0.6) ? identifier(random) : random.pick(allNames)));
}

/** `load_record`, now and then with words that no list has. */
export function functionName(random: RandomStream): string {
  const style = random.uniform();
  if (style < 0.7) return `${random.pick(verbs)}_${random.pick(nouns)}`;
  return `${style < 0.85 ? identifier(random) : random.pick(verbs)}_${identifier(random)}`;
}

function fresh(taken: Set<string>, draw: () => string): string {
  for (;;) {
    const name = draw();
    if (taken.has(name) || reserved.has(name)) continue;
    taken.add(name);
    return name;
  }
}

// Mostly two to four tokens of the embedded tokenizer: names that a model can only copy.
function identifier(random: RandomStream): string {
  const style = random.uniform();
  if (style < 0.5) return several(random, random.pick([1, 2, 2, 3]), syllables) + random.pick(endings);
  if (style < 0.65) return several(random, random.pick([2, 2, 3]), letters);
  if (style < 0.8) return `${syllable(random)}_${syllable(random)}`;
  if (style < 0.9) return `${random.pick(allNames)}_${random.pick(suffixes)}`;
  return `${syllable(random)}${random.below(10)}`;
}

function syllable(random: RandomStream): string {
  return random.pick(syllables) + random.pick(endings);
}

function several(random: RandomStream, count: number, parts: readonly string[]): string {
  let text = '';
  for (let i = 0; i < count; i++) text += random.pick(parts);
  return text;
}

function words(text: string): string[] {
  return text.split(' ');
}
