import { EbpfRunError } from '../errors.ts'
import {
  type GroupKey,
  type GroupLayout,
  linearBuckets,
  type Measure,
  textCode,
} from '../wire/groups.ts'

/*
 * Where bcc counts in the kernel, an event type has one map (src/wire/groups.ts has the lines that it is printed as):
 *
 *   er_groups_N   struct er_key_N to struct er_group_N: how many, then of each measure its sum and its buckets
 *
 * A text stands in the key as it is: the driver gives it its number when it prints the map. Keys and values are made of whole
 * 64-bit words, so that no byte of them is left to chance, and bcc's Python sees them as wide as C does.
 */

/** As bpftrace has them: below 0, 0, then one for each power of two of a signed number. */
const powerBuckets = 65
const mostKeyBytes = 512
/** Of kernel memory for each key that the plan has room for, taken at the start: wider groups are fewer. */
const bytesOfKey = 1_024

/** What the driver must know to print the map of a group. */
export interface GroupRequest {
  readonly code: string
  readonly map: string
  readonly keys: readonly {
    readonly as: Exclude<GroupKey['as'], 'family'>
    readonly bytes: number
    readonly text: string
  }[]
  readonly measures: readonly {
    readonly buckets: number
    /** Its buckets are printed as counts, by their number. */
    readonly is_linear: boolean
  }[]
}

export function groupRequest(group: GroupLayout, at: number): GroupRequest {
  return {
    code: group.code,
    map: `er_groups_${at}`,
    keys: group.keys.map((key, index) => ({
      as: key.as === 'family' ? 'number' : key.as,
      bytes: 8 * wordsOf(key),
      text: textCode(index),
    })),
    measures: group.measures.map((measure) => ({
      buckets: bucketsOf(measure),
      is_linear: measure.linear !== undefined,
    })),
  }
}

const bucketsOf = ({ linear }: Measure): number =>
  linear === undefined ? powerBuckets : linearBuckets(linear) + 2

/** Words of a group: how many, then the sum and the buckets of each measure. */
function wordsOfGroup(measures: readonly Measure[]): number {
  return measures.reduce((sum, measure) => sum + 1 + bucketsOf(measure), 1)
}

/** 4, 6 or, where all zeros are no address, 0. */
const familyFunction = `static __always_inline __u64 er_family(const __u32 *word, int is_nullable)
{
  __u32 prefix = bpf_htonl(0xffff);
  if (is_nullable && word[0] == 0 && word[1] == 0 && (word[2] == 0 || word[2] == prefix) && word[3] == 0) return 0;
  return word[0] == 0 && word[1] == 0 && word[2] == prefix ? 4 : 6;
}`

/** What keys and measures of groups call. */
export function groupFunctions(groups: readonly GroupLayout[]): readonly string[] {
  const hasFamily = groups.some(({ keys }) => keys.some(({ as }) => as === 'family'))
  return [bucketFunctions, ...(hasFamily ? [familyFunction] : [])]
}

/**
 * The number of a value's bucket, among powers of two and among buckets of equal width; there a value below the least shows as a
 * sign in its distance. The barriers keep the compiler from leaving out what it knows and the verifier does not.
 */
const bucketFunctions = `static __always_inline __u64 er_bucket(__s64 value)
{
  if (value < 0) return 0;
  if (value == 0) return 1;
  __u64 left = value;
  __u64 at = 2;
  if (left >> 32) { left >>= 32; at += 32; }
  if (left >> 16) { left >>= 16; at += 16; }
  if (left >> 8) { left >>= 8; at += 8; }
  if (left >> 4) { left >>= 4; at += 4; }
  if (left >> 2) { left >>= 2; at += 2; }
  if (left >> 1) at += 1;
  asm volatile("" : "+r"(at));
  return at < ${powerBuckets} ? at : ${powerBuckets - 1};
}
static __always_inline __u64 er_linear_bucket(__u64 value, __s64 min, __u64 step, __u64 buckets)
{
  __u64 from = value - (__u64)min;
  __u64 at = from >> 63 ? 0 : from / step + 1;
  asm volatile("" : "+r"(at));
  return at < buckets ? at : buckets - 1;
}`

export function keyBytes({ keys }: Pick<GroupLayout, 'keys'>): number {
  return 8 * keys.reduce((sum, key) => sum + wordsOf(key), 0)
}

/** The map of a group, and what a new one begins with, which is too large for the stack. Throws BAD_VALUE for too wide a key. */
export function groupMap({ keys, measures }: GroupLayout, at: number, mapKeys: number): string {
  const bytes = keyBytes({ keys })
  if (bytes > mostKeyBytes)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `--by: with bcc the fields of a group may take ${mostKeyBytes} bytes together`,
      found: `${bytes} bytes: ${keys.map(({ name }) => name).join(', ')}`,
    })
  const room = Math.floor((mapKeys * bytesOfKey) / (bytes + 8 * wordsOfGroup(measures)))
  const members = keys.length === 0 ? ['  __u64 er_all;'] : keys.map((key) => `  ${memberOf(key)}`)
  return `struct er_key_${at} {
${members.join('\n')}
};
struct er_group_${at} {
  __u64 words[${wordsOfGroup(measures)}];
};
BPF_ARRAY(er_new_${at}, struct er_group_${at}, 1);
BPF_HASH(er_groups_${at}, struct er_key_${at}, struct er_group_${at}, ${Math.min(mapKeys, room)});`
}

/** Where the key is put together in one place that emits. */
export function groupScratch(group: number, place: number): string {
  return `BPF_PERCPU_ARRAY(er_scratch_key_${place}, struct er_key_${group}, 1);`
}

function bucketCall(value: string, measure: Measure): string {
  const { linear } = measure
  return linear === undefined
    ? `er_bucket(${value})`
    : `er_linear_bucket(${value}, ${linear.min}LL, ${linear.step}ULL, ${bucketsOf(measure)})`
}

/** Adds the record \`er\` to its group; its key is made at that place, with null on the stack. What finds no room is in the count of the emit alone, and so is lost. */
export function addToGroup(
  { keys, measures }: GroupLayout,
  at: number,
  place: number | null,
): string {
  const room =
    place === null
      ? `struct er_key_${at} er_key_room = {};
        struct er_key_${at} *er_key = &er_key_room;`
      : `struct er_key_${at} *er_key = er_scratch_key_${place}.lookup(&er_zero);`
  const adds = measures.map((measure, index) => {
    const { name, spec } = measure
    const word = wordsOfGroup(measures.slice(0, index))
    const value = `er->${name}`
    const add = `${increment(word, value)} ${increment(`${word + 1} + ${bucketCall(value, measure)}`, '1')}`
    return spec.nullAs === undefined ? add : `if (er->${name} != ${spec.nullAs}) { ${add} }`
  })
  return `{
        ${room}
        struct er_group_${at} *er_new = er_new_${at}.lookup(&er_zero);
        if (er_key != 0 && er_new != 0) {
${keys.map((key) => `          ${fillKey(key)}\n`).join('')}          struct er_group_${at} *er_group = er_groups_${at}.lookup_or_try_init(er_key, er_new);
          if (er_group != 0) {
${[increment(0, '1'), ...adds].map((line) => `            ${line}\n`).join('')}          }
        }
      }`
}

/** Other CPUs add to the same group. */
function increment(word: number | string, amount: string): string {
  return `__sync_fetch_and_add(&er_group->words[${word}], ${amount});`
}

function fillKey({ name, spec, from, as }: GroupKey): string {
  if (as === 'number') return `er_key->${name} = er->${from.name};`
  if (as === 'family') {
    const isNullable = from.spec.nullAs !== undefined
    return `er_key->${name} = er_family(er->${from.name}, ${isNullable ? 1 : 0});`
  }
  if (as === 'address') return `__builtin_memcpy(er_key->${name}, er->${name}, 16);`
  // Nothing of the text before it may be left behind the end.
  return `__builtin_memset(er_key->${name}, 0, sizeof(er_key->${name})); bpf_probe_read_kernel_str(er_key->${name}, ${textBytes(spec.bytes)}, er->${name});`
}

function memberOf(key: GroupKey): string {
  if (key.as === 'number' || key.as === 'family') return `__u64 ${key.name};`
  if (key.as === 'address') return `__u32 ${key.name}[4];`
  return `__u8 ${key.name}[${8 * wordsOf(key)}];`
}

function wordsOf({ spec, as }: GroupKey): number {
  if (as === 'number' || as === 'family') return 1
  return as === 'address' ? 2 : Math.ceil(textBytes(spec.bytes) / 8)
}

/** As many as a record has: one to know that there was more, one for the NUL. */
function textBytes(shown = 0): number {
  return shown + 2
}
