import type { CMember } from '../schema/c-struct.ts'
import { isSigned } from '../schema/c-struct.ts'
import type { EventSpec, FieldSpec } from '../schema/define.ts'
import { kinds } from '../schema/kinds.ts'
import type { Expression, Spelling } from './conditions.ts'
import type { Emit, Presets } from './emit.ts'
import { broken } from './template.ts'

/** What `task` and `owner VARIABLE` stand for in C. The variable is a `struct er_owner *`, null for nobody known. */
export const cPresets: Presets = {
  task: {
    ktime_ns: 'bpf_ktime_get_ns()',
    pid: 'bpf_get_current_pid_tgid() >> 32',
    tid: '(__u32)bpf_get_current_pid_tgid()',
    cpu: 'bpf_get_smp_processor_id()',
    uid: '(__u32)bpf_get_current_uid_gid()',
    comm: 'comm',
    cgroup: 'bpf_get_current_cgroup_id()',
  },
  owner: (who) => ({
    pid: `(${who} != 0 ? ${who}->pid : 0)`,
    uid: `(${who} != 0 ? ${who}->uid : 4294967295U)`,
    comm: `owner ${who}`,
    cgroup: `(${who} != 0 ? ${who}->cgroup : 0)`,
    owner_from: `(${who} != 0 ? 2 : 0)`,
  }),
}

/** Filters in C: numbers wide enough for what they hold, names byte by byte. */
export const cSpelling: Spelling = {
  number: (value) => (value > 0x7fffffff ? `${value}ULL` : String(value)),
  equalsText: (text, bytes) =>
    [...bytes, 0]
      .map((byte, at) => `${text}[${at}] == 0x${byte.toString(16).padStart(2, '0')}`)
      .join(' && '),
  descends: (pid, _, command) => `(${pid} == ${command} || er_kin.lookup(&${pid}) != 0)`,
}

/** Statements that put the value of a field into its member of the record `er`. Throws BAD_DEFINITION. */
export function fillMember(
  { name, type }: CMember,
  value: string,
  spec: FieldSpec,
  context: { readonly where: string; expand(text: string): string },
): string {
  const place = `er->${name}`
  const [form = '', ...words] = value.split(/\s+/)
  const rest = (): string => context.expand(words.join(' '))
  // What is not filled the kernel sets to 0, also where it has no stack to tell.
  if (type === 'stack' && value === 'kstack')
    return `bpf_get_stack(ctx, ${place}, sizeof(${place}), 0);`
  if (type === 'stack') throw broken(context.where, `${name}: a call stack is kstack`)
  if (type === 'text') return fillText(place, form, value, spec, { ...context, name, rest })
  if (type === 'address') {
    const words4 = (last: string, mapped: string) =>
      `${place}[0] = 0; ${place}[1] = 0; ${place}[2] = ${mapped}; ${place}[3] = ${last};`
    if (value === 'null') return words4('0', '0')
    if (form === 'in6') return `bpf_probe_read_kernel(${place}, 16, ${rest()});`
    if (form === 'bound') return fillBound(place, rest(), words4)
    if (form === 'user6') return `bpf_probe_read_user(${place}, 16, (const void *)(${rest()}));`
    if (form === 'user4')
      return `{ u32 er_four = 0; bpf_probe_read_user(&er_four, 4, (const void *)(${rest()})); ${words4('er_four', 'bpf_htonl(0xffff)')} }`
    if (form === 'raw') return `__builtin_memcpy(${place}, ${rest()}, 16);`
    if (form === 'in4') return words4(rest(), 'bpf_htonl(0xffff)')
    throw broken(context.where, `${name}: an address is in6, in4, user6, user4, bound or raw`)
  }
  if (value !== 'null') return `${place} = ${context.expand(value)};`
  if (spec.nullAs === undefined) throw broken(context.where, `${name} cannot be null on the wire`)
  return `${place} = ${spec.nullAs}${isSigned(type) ? '' : 'U'};`
}

/** The local address of a socket: see `localAddress` in template.ts. */
function fillBound(
  place: string,
  socket: string,
  words4: (last: string, mapped: string) => string,
): string {
  const common = `((struct sock *)${socket})->__sk_common`
  return `{
      u64 er_family = ER_READ(${common}.skc_family);
      u64 er_four = ER_READ(${common}.skc_rcv_saddr);
      if (er_family == 2 && er_four != 0) { ${words4('er_four', 'bpf_htonl(0xffff)')} }
      else bpf_probe_read_kernel(${place}, 16, &${common}.skc_v6_rcv_saddr);
      }`
}

function fillText(
  place: string,
  form: string,
  value: string,
  spec: FieldSpec,
  { name, where, rest }: { name: string; where: string; rest(): string },
): string {
  const from = (helper: string) =>
    `${helper}(${place}, sizeof(${place}), (const void *)(${rest()}));`
  if (value === 'comm') return `bpf_get_current_comm(${place}, sizeof(${place}));`
  if (form === 'user') return from('bpf_probe_read_user_str')
  if (form === 'kernel') return from('bpf_probe_read_kernel_str')
  if (form === 'bytes') return `__builtin_memcpy(${place}, ${rest()}, sizeof(${place}));`
  if (form === 'owner')
    return `${place}[0] = 0; if (${rest()} != 0) __builtin_memcpy(${place}, ${rest()}->comm, 16);`
  if (value === 'null' && spec.emptyIsNull) return `${place}[0] = 0;`
  throw broken(where, `${name}: a text is comm, user, kernel, bytes or owner`)
}

/** What a filter on a field looks at: the record's own member, which is filled before. Null when this record has none. */
export function memberExpression(
  name: string,
  emit: Emit,
  fields: EventSpec['fields'],
  members: readonly CMember[],
): Expression | null {
  const spec = fields[name]
  if (spec === undefined) return null
  const from = (kinds[spec.kind].travel === 'derived' ? spec.of : name) ?? ''
  const member = members.find((each) => each.name === from)
  const of = fields[from]
  if (member === undefined || of === undefined) return null
  const place = `er->${from}`
  const more = {
    ...(of.nullAs === undefined ? {} : { nullAs: of.nullAs }),
    ...(emit.owner !== null && from in cPresets.owner('') ? { unknown: `${emit.owner} == 0` } : {}),
  }
  return member.type === 'address'
    ? {
        as: 'words',
        words: [`${place}[0]`, `${place}[1]`, `${place}[2]`, `${place}[3]`],
        ...more,
      }
    : { as: 'value', text: place, ...more }
}
