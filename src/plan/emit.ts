import type { EventSpec, FieldSpec } from '../schema/define.ts'
import { kinds } from '../schema/kinds.ts'
import type { Expression } from './conditions.ts'
import type { StructTable } from './structs.ts'
import { broken } from './template.ts'

/** Values every event of a task has, unless the emit says otherwise. */
const taskValues: Readonly<Record<string, string>> = {
  ktime_ns: 'nsecs',
  pid: 'pid',
  tid: 'tid',
  cpu: 'cpu',
  uid: 'uid',
  comm: 'comm',
  cgroup: 'cgroup',
}

/**
 * The owner of a socket, kept in maps under `key`; 0 is nobody's key, where every map has nothing. Maps read as 0 or "" there,
 * which stands for null.
 */
function ownerValues(key: string): Readonly<Record<string, string>> {
  return {
    pid: `@pid[${key}]`,
    // Kept plus one. No choice by `?`: 0.23.2 takes the wrong side when one of them reads a map under a kernel address.
    uid: `(((uint64)@uid[${key}] + 4294967295) & 4294967295)`,
    comm: `@comm[${key}]`,
    cgroup: `@cgroup[${key}]`,
    owner_from: `(${key} != 0 ? (uint64)2 : (uint64)0)`,
  }
}

/** What `task` and `owner` stand for in the language of a program. */
export interface Presets {
  readonly task: Readonly<Record<string, string>>
  owner(key: string): Readonly<Record<string, string>>
}

const bpftracePresets: Presets = { task: taskValues, owner: ownerValues }

/** An emit as it stands in a template: field to expression, and the key of the socket's owner where it has one. */
export interface Emit {
  readonly event: string
  readonly values: ReadonlyMap<string, string>
  readonly owner: string | null
  /** Statements whose output stands in front of the event: `around STATEMENT`. */
  readonly around: readonly string[]
  /** Also behind the gate: what a script's END says. */
  readonly always: boolean
}

/** Reads `EVENT` and its lines: `task`, `owner KEY`, `owner nobody` or `field = expression`. Throws BAD_DEFINITION. */
export function parseEmit(
  rest: string,
  events: Readonly<Record<string, EventSpec>>,
  where: string,
  { task, owner: ownedBy }: Presets = bpftracePresets,
): Emit {
  const [event = '', ...lines] = rest.split('\n').map((line) => line.trim())
  const values = new Map<string, string>()
  const presets: Record<string, string> = {}
  let owner: string | null = null
  const around: string[] = []
  let always = false
  for (const line of lines.filter((each) => each !== '')) {
    const key = /^owner (\$?\w+)$/.exec(line)?.[1]
    if (key === 'nobody') for (const field of Object.keys(ownedBy(''))) presets[field] = 'null'
    else if (key !== undefined) {
      owner = key
      Object.assign(presets, ownedBy(key))
    } else if (line === 'task') Object.assign(presets, task)
    else if (line === 'always') always = true
    else if (/^around (?!=)/.test(line)) around.push(line.slice('around '.length))
    else {
      const [, name = '', value = ''] = /^([a-z_0-9]+)\s*=\s*([^]+)$/.exec(line) ?? []
      if (name === '') throw broken(where, `cannot read '${line}' in {{emit ${event}}}`)
      if (values.has(name)) throw broken(where, `${event}.${name} is emitted twice`)
      values.set(name, value)
    }
  }
  const fields = events[event]?.fields ?? {}
  for (const [name, value] of Object.entries(presets)) {
    if (name in fields && !values.has(name)) values.set(name, value)
  }
  return { event, values, owner, around, always }
}

/** How one value is printed, and how a filter may look at it. */
export interface Rendered {
  readonly printed: string
  readonly expression: Expression
}

/** Renders the value of a field. `expand` resolves directives inside an expression. Throws BAD_DEFINITION. */
export function renderValue(
  value: string,
  spec: FieldSpec,
  context: {
    readonly name: string
    readonly where: string
    readonly structs: StructTable
    expand(text: string): string
  },
): Rendered {
  const { name, where, structs, expand } = context
  if (value === 'null') {
    const printed = spec.emptyIsNull ? '""' : spec.nullAs
    if (printed === undefined) throw broken(where, `${name} cannot be null on the wire`)
    return {
      printed: spec.kind === 'address' ? `"${printed}"` : String(printed),
      expression: { as: 'opaque' },
    }
  }
  if (spec.kind !== 'address') {
    const text = expand(value)
    return { printed: text, expression: { as: 'value', text } }
  }
  const [wanted = '', instead] = value.split(/\s+or\s+/)
  const path = /^in6\s+(\S+)/.exec(wanted)?.[1]
  const isPlaced = wanted.startsWith('bound ')
    ? structs.hasBound()
    : path === undefined || structs.has(path)
  if (instead !== undefined && !isPlaced) return renderValue(instead, spec, context)
  const [form = '', ...parts] = wanted.split(/\s+/)
  if (form === 'in6') {
    const { bytes, words } = structs.address(parts[0] ?? '', parts.slice(1).join(' '))
    return { printed: `ntop(${bytes})`, expression: { as: 'words', words } }
  }
  if (form === 'user4' || form === 'user6') {
    const { bytes, four, words } = structs.bare(expand(`{user ${parts.join(' ')}}`))
    return form === 'user6'
      ? { printed: `ntop(${bytes})`, expression: { as: 'words', words } }
      : {
          printed: `ntop(2, ${four})`,
          expression: { as: 'words', words: ['0', '0', String(0xffff0000), four] },
        }
  }
  const expression = expand(parts.join(' '))
  if (form === 'in4') {
    const words = ['0', '0', String(0xffff0000), expression] as const
    return { printed: `ntop(2, ${expression})`, expression: { as: 'words', words } }
  }
  if (form === 'bound') {
    const { family, bytes, words } = structs.bound(parts.join(' '))
    return { printed: `ntop(${family}, ${bytes})`, expression: { as: 'words', words } }
  }
  if (form !== 'raw')
    throw broken(where, `${name}: an address is in6, in4, user6, user4, bound or raw`)
  return { printed: `ntop(${expression})`, expression: { as: 'opaque' } }
}

/** What a filter on a field has to look at: the field's own value or, for a derived one, that of the field it comes from. */
export function filterExpression(
  name: string,
  emit: Emit,
  fields: EventSpec['fields'],
  render: (value: string, spec: FieldSpec, name: string) => Rendered,
): Expression | null {
  const spec = fields[name]
  if (spec === undefined) return null
  const from = (kinds[spec.kind].travel === 'derived' ? spec.of : name) ?? ''
  const value = emit.values.get(from)
  const of = fields[from]
  if (value === undefined || of === undefined) return null
  const { expression } = render(value, of, name)
  if (expression.as === 'opaque') return expression
  return {
    ...expression,
    ...(of.nullAs === undefined ? {} : { nullAs: of.nullAs }),
    ...(emit.owner !== null && from in ownerValues('') ? { unknown: `${emit.owner} == 0` } : {}),
  }
}
