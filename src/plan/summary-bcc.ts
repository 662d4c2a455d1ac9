import { EbpfRunError } from '../errors.ts'
import { type GroupKey, type GroupLayout, textCode } from '../wire/groups.ts'

/*
 * Where bcc counts in the kernel, an event type has one map (src/wire/groups.ts has the lines that it is printed as):
 *
 *   er_groups_N   struct er_key_N to struct er_group_N: how many, then of each measure its sum and its buckets
 *
 * A text stands in the key as it is: the driver gives it its number when it prints the map. Keys and values are made of whole
 * 64-bit words, so that no byte of them is left to chance, and bcc's Python sees them as wide as C does.
 */

/** As bpftrace has them: below 0, 0, then one for each power of two of a signed number. */
const buckets = 65
const mostKeyBytes = 512

/** What the driver must know to print the map of a group. */
export interface GroupRequest {
  readonly code: string
  readonly map: string
  readonly keys: readonly {
    readonly as: GroupKey['as']
    readonly bytes: number
    readonly text: string
  }[]
  readonly measures: number
  readonly buckets: number
}

export function groupRequest(group: GroupLayout, at: number): GroupRequest {
  return {
    code: group.code,
    map: `er_groups_${at}`,
    keys: group.keys.map((key, index) => ({
      as: key.as,
      bytes: 8 * wordsOf(key),
      text: textCode(index),
    })),
    measures: group.measures.length,
    buckets,
  }
}

/** The number of a value's bucket. The barrier keeps the compiler from leaving out what it knows and the verifier does not. */
export const bucketFunction = `static __always_inline __u64 er_bucket(__s64 value)
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
  return at < ${buckets} ? at : ${buckets - 1};
}`

/** The map of a group; its key and what a new group begins with are too large for the stack. Throws BAD_VALUE for too wide a key. */
export function groupMap({ keys, measures }: GroupLayout, at: number, mapKeys: number): string {
  const bytes = 8 * keys.reduce((sum, key) => sum + wordsOf(key), 0)
  if (bytes > mostKeyBytes)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `--by: with bcc the fields of a group may take ${mostKeyBytes} bytes together`,
      found: `${bytes} bytes: ${keys.map(({ name }) => name).join(', ')}`,
    })
  const members = keys.length === 0 ? ['  __u64 er_all;'] : keys.map((key) => `  ${memberOf(key)}`)
  return `struct er_key_${at} {
${members.join('\n')}
};
struct er_group_${at} {
  __u64 words[${1 + measures.length * (1 + buckets)}];
};
BPF_PERCPU_ARRAY(er_keys_${at}, struct er_key_${at}, 1);
BPF_ARRAY(er_new_${at}, struct er_group_${at}, 1);
BPF_HASH(er_groups_${at}, struct er_key_${at}, struct er_group_${at}, ${mapKeys});`
}

/** Adds the record \`er\` to its group. What finds no room is in the count of the emit alone, and so is lost. */
export function addToGroup({ keys, measures }: GroupLayout, at: number): string {
  const words = (measure: number) => 1 + measure * (1 + buckets)
  const adds = measures.map(({ name, spec }, index) => {
    const add = `${increment(words(index), `er->${name}`)} ${increment(`${words(index) + 1} + er_bucket(er->${name})`, '1')}`
    return spec.nullAs === undefined ? add : `if (er->${name} != ${spec.nullAs}) { ${add} }`
  })
  return `{
        struct er_key_${at} *er_key = er_keys_${at}.lookup(&er_zero);
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

function fillKey({ name, spec, as }: GroupKey): string {
  if (as === 'number') return `er_key->${name} = er->${name};`
  if (as === 'address') return `__builtin_memcpy(er_key->${name}, er->${name}, 16);`
  // Nothing of the text before it may be left behind the end.
  return `__builtin_memset(er_key->${name}, 0, sizeof(er_key->${name})); bpf_probe_read_kernel_str(er_key->${name}, ${textBytes(spec.bytes)}, er->${name});`
}

function memberOf(key: GroupKey): string {
  if (key.as === 'number') return `__u64 ${key.name};`
  if (key.as === 'address') return `__u32 ${key.name}[4];`
  return `__u8 ${key.name}[${8 * wordsOf(key)}];`
}

function wordsOf({ spec, as }: GroupKey): number {
  if (as === 'number') return 1
  return as === 'address' ? 2 : Math.ceil(textBytes(spec.bytes) / 8)
}

/** As many as a record has: one to know that there was more, one for the NUL. */
function textBytes(shown = 0): number {
  return shown + 2
}
