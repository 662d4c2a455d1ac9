import type { BtfMember } from '../host/facts.ts'
import type { EventSpec, FieldSpec } from '../schema/define.ts'
import { kinds } from '../schema/kinds.ts'
import { controlCodes, type RecordLayout } from '../wire/layout.ts'
import type { Dialect } from './dialect.ts'
import { type AnyFilter, type Expression, kernelCondition } from './filters.ts'
import { broken, type Node } from './template.ts'

/** Everything a program is made from, but the secrets of one run. */
export interface ProgramInput {
  /** `tcpconnect/tracepoint.bt`, for errors. */
  readonly where: string
  readonly nodes: readonly Node[]
  readonly dialect: Dialect
  readonly events: Readonly<Record<string, EventSpec>>
  readonly layouts: readonly RecordLayout[]
  readonly members: Readonly<Record<string, BtfMember | null>>
  readonly options: Readonly<Record<string, boolean>>
  readonly params: Readonly<Record<string, number>>
  readonly filters: readonly AnyFilter[]
  /** The kernel has signal:signal_generate, so that the end gate can be closed. */
  readonly canGate: boolean
}

/** What only one run knows. */
export interface Secrets {
  /** 16 hexadecimal digits, the first 1 to 7. */
  readonly token: string
  /** Process id of the child as the kernel numbers it; null: no end gate. */
  readonly gatePid: number | null
}

export type Applied = 'kernel' | 'both' | 'after'

export interface Program {
  readonly text: string
  /** For each filter: where it is applied. `both`: the kernel passes on what it cannot judge, such as unknown owners. */
  readonly applied: readonly Applied[]
}

/** Milliseconds between heartbeats. Short, because a run's end waits for one. */
export const heartbeatMs = 250

/** Renders a template. Throws BAD_DEFINITION for any directive, field or path that it does not know. */
export function renderProgram(input: ProgramInput, secrets: Secrets): Program {
  const run = new Rendering(input, secrets)
  const body = run.render(input.nodes)
  run.checkComplete()
  const text =
    [run.structs(), body.trim(), run.footer(body)].filter((part) => part !== '').join('\n\n') + '\n'
  if (text.includes('{{')) throw broken(input.where, 'a {{ is left over')
  return { text, applied: input.filters.map((_, index) => run.applied(index)) }
}

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

/** The state of one rendering; lives only inside `renderProgram`. */
class Rendering {
  private readonly judged = new Set<number>()
  private readonly passedOn = new Set<number>()
  private readonly structNames = new Map<string, string>()
  private readonly sites = new Map<string, number>()
  private readonly input: ProgramInput
  private readonly secrets: Secrets

  constructor(input: ProgramInput, secrets: Secrets) {
    this.input = input
    this.secrets = secrets
  }

  render(nodes: readonly Node[]): string {
    return nodes.map((node) => this.node(node)).join('')
  }

  applied(filter: number): Applied {
    if (!this.passedOn.has(filter)) return 'kernel'
    return this.judged.has(filter) ? 'both' : 'after'
  }

  structs(): string {
    return [...this.structNames].map(([name, body]) => `struct ${name} { ${body} };`).join('\n')
  }

  /** End gate, heartbeats, and an END that keeps the template's own maps from being printed. */
  footer(body: string): string {
    const { dialect, canGate } = this.input
    const { token, gatePid } = this.secrets
    const counters = [...this.sites].flatMap(([code, count]) =>
      Array.from({ length: count }, (_, site) => counterName(token, code, site)),
    )
    const beat = this.control(controlCodes.heartbeat)
    const counts = `${counters.map((name) => `  print(${name});\n`).join('')}  print(@z_${token});\n`
    const parts = [
      // Only a sender that may signal bpftrace gets a signal generated for it; SIGURG (23) is ignored by default.
      ...(canGate && gatePid !== null
        ? [
            `tracepoint:signal:signal_generate\n/args->sig == 23 && args->pid == ${gatePid}/\n{\n  @stop_${token} = 1;\n  @z_${token} = count();\n  ${this.control(controlCodes.end)}\n${counts}}`,
          ]
        : []),
      // The first line that bpftrace prints proves that all is attached, so the first beats come early.
      `interval:ms:10\n/@early_${token} < 3/\n{\n  @early_${token} = @early_${token} + 1;\n  ${beat}\n}`,
      `interval:ms:${heartbeatMs}\n{\n  @z_${token} = count();\n  ${beat}\n${counts}}`,
    ]
    const own = [...new Set([...body.matchAll(/@[a-z][a-z0-9_]*/g)].map((match) => match[0]))]
      .filter((name) => !name.includes(token))
      .sort()
    if (dialect.hasEnd && own.length > 0) {
      parts.push(`END\n{\n${own.map((name) => `  clear(${name});\n`).join('')}}`)
    }
    return parts.join('\n\n')
  }

  checkComplete(): void {
    for (const layout of this.input.layouts) {
      if (!this.sites.has(layout.code)) {
        throw broken(
          this.input.where,
          `nothing emits ${layout.event}${layout.part ? `.${layout.part}` : ''}`,
        )
      }
    }
  }

  private node(node: Node): string {
    if (node.is === 'text') return node.text
    if (node.is === 'when') {
      const { options } = this.input
      if (!Object.hasOwn(options, node.condition))
        throw broken(this.input.where, `unknown condition {{when ${node.condition}}}`)
      return this.render(options[node.condition] ? node.then : node.otherwise)
    }
    const directive = directiveNamed(node.name)
    if (directive === undefined)
      throw broken(this.input.where, `unknown directive {{${node.name}}}`)
    return directive(this, node.rest)
  }

  read(path: string, pointer: string): string {
    const [, name = path, index = ''] = /^(.*)\[(\d+)\]$/.exec(path) ?? []
    const member = this.member(name)
    if (member.length > 0 !== (index !== ''))
      throw broken(this.input.where, `${path}: an index is for arrays`)
    const size = member.size / Math.max(1, member.length)
    if (size === 1 && !member.signed) return this.readByte(member.offset + Number(index), pointer)
    const type = scalarType(size, member.signed)
    const value = `((struct ${this.struct(member.offset + Number(index) * size, type)} *)${atom(pointer)})->v`
    // 0.11.3 stores eight bytes into the slot of a variable, which is as narrow as its first value: its neighbours on the stack
    // then read wrong. So no value is narrow.
    return size === 8 ? value : `((${member.signed ? 'int64' : 'uint64'})${value})`
  }

  fentry(which: 'entry' | 'exit', name: string): string {
    const { fentry } = this.input.dialect
    if (fentry === null) throw broken(this.input.where, 'this bpftrace has no fentry')
    return `${fentry[which]}:${name}`
  }

  /** One byte, taken out of the aligned word around it: 0.11.3 reads single bytes from the wrong place of its stack. */
  private readByte(offset: number, pointer: string): string {
    const type = this.struct(offset - (offset % 4), 'unsigned int')
    return `((((uint64)((struct ${type} *)${atom(pointer)})->v) >> ${(offset % 4) * 8}) & 255)`
  }

  /** A 16-bit number in network order. Shifts, because bswap() came with bpftrace 0.15. */
  port(rest: string): string {
    const [path = '', ...pointer] = rest.split(/\s+/)
    const value = this.read(path, pointer.join(' '))
    return `(((${value} & 255) << 8) | (${value} >> 8))`
  }

  word(pointer: string): string {
    return `((struct ${this.struct(0, 'unsigned long')} *)${this.user(pointer)})->v`
  }

  /** Two more than the bytes shown: one to know that there was more, one for the NUL. */
  text(rest: string): string {
    const [, pointer = '', bytes = ''] = /^([^]*)\s(\d+)$/.exec(rest) ?? []
    if (bytes === '')
      throw broken(this.input.where, `{{text ${rest}}} needs an address and a number of bytes`)
    return `str(${this.user(pointer)}, ${Number(bytes) + 2})`
  }

  items(): string {
    return String(this.input.dialect.listItems)
  }

  param(name: string): string {
    const value = Object.hasOwn(this.input.params, name) ? this.input.params[name] : undefined
    if (value === undefined) throw broken(this.input.where, `unknown param ${name}`)
    return String(value)
  }

  part(rest: string): string {
    const [target = '', key = '', index = '', ...text] = rest.split(/\s+/)
    const layout = this.input.layouts.find(
      (each) => each.part !== undefined && `${each.event}.${each.part}` === target,
    )
    if (layout === undefined)
      throw broken(this.input.where, `{{part ${target}}} is no list of an event`)
    return this.record(layout, [key, index, this.expand(text.join(' '))], [])
  }

  emit(rest: string): string {
    const [event = '', ...lines] = rest.split('\n').map((line) => line.trim())
    const layout = this.input.layouts.find(
      (each) => each.event === event && each.part === undefined,
    )
    if (layout === undefined)
      throw broken(this.input.where, `{{emit ${event}}} is no event of this probe`)
    const values = this.assignments(
      event,
      lines.filter((line) => line !== ''),
    )
    const expected = new Set([...layout.closed, ...layout.texts].map((field) => field.name))
    for (const name of values.keys()) {
      if (!expected.has(name))
        throw broken(this.input.where, `${event}.${name} is emitted, but is not on the wire`)
    }
    const fields = [...layout.closed, ...layout.texts].map(({ name, spec }) => {
      const value = values.get(name)
      if (value === undefined) throw broken(this.input.where, `${event}.${name} is not emitted`)
      return this.value(value, spec, name)
    })
    return this.record(
      layout,
      fields.map((field) => field.printed),
      this.conditions(event, values),
    )
  }

  private assignments(event: string, lines: readonly string[]): Map<string, string> {
    const values = new Map<string, string>()
    let task = false
    for (const line of lines) {
      if (line === 'task') {
        task = true
        continue
      }
      const [, name = '', value = ''] = /^([a-z_0-9]+)\s*=\s*([^]+)$/.exec(line) ?? []
      if (name === '') throw broken(this.input.where, `cannot read '${line}' in {{emit ${event}}}`)
      if (values.has(name)) throw broken(this.input.where, `${event}.${name} is emitted twice`)
      values.set(name, value)
    }
    const fields = this.input.events[event]?.fields ?? {}
    for (const [name, value] of Object.entries(task ? taskValues : {})) {
      if (name in fields && !values.has(name)) values.set(name, value)
    }
    return values
  }

  private value(
    value: string,
    spec: FieldSpec,
    name: string,
  ): { printed: string; expression: Expression } {
    if (value === 'null') {
      const printed = spec.emptyIsNull ? '""' : spec.nullAs
      if (printed === undefined)
        throw broken(this.input.where, `${name} cannot be null on the wire`)
      return { printed: String(printed), expression: { as: 'opaque' } }
    }
    if (spec.kind !== 'address')
      return { printed: this.expand(value), expression: { as: 'value', text: this.expand(value) } }
    const [wanted = '', instead] = value.split(/\s+or\s+/)
    const path = /^in6\s+(\S+)/.exec(wanted)?.[1]
    if (instead !== undefined && path !== undefined && !this.input.members[path])
      return this.value(instead, spec, name)
    const [form = '', ...parts] = wanted.split(/\s+/)
    if (form === 'in6') return this.in6(parts[0] ?? '', parts.slice(1).join(' '))
    const expression = this.expand(parts.join(' '))
    if (form === 'in4') {
      const words = ['0', '0', String(0xffff0000), expression] as const
      return { printed: `ntop(2, ${expression})`, expression: { as: 'words', words } }
    }
    if (form !== 'raw') throw broken(this.input.where, `${name}: an address is in6, in4 or raw`)
    return { printed: `ntop(${expression})`, expression: { as: 'opaque' } }
  }

  private in6(path: string, pointer: string): { printed: string; expression: Expression } {
    const { offset } = this.member(path)
    const word = (index: number) =>
      `((struct ${this.struct(offset + index * 4, 'unsigned int')} *)${atom(pointer)})->v`
    return {
      printed: `ntop(((struct ${this.struct(offset, 'unsigned char', 16)} *)${atom(pointer)})->v)`,
      expression: { as: 'words', words: [word(0), word(1), word(2), word(3)] },
    }
  }

  /** Directives may stand inside an emit's expressions in single braces: `{read PATH EXPR}`. */
  private expand(expression: string): string {
    return expression.replace(/\{([a-z]+)\s+([^{}]*)\}/g, (_, name: string, rest: string) => {
      const directive = directiveNamed(name)
      if (directive === undefined) throw broken(this.input.where, `unknown directive {${name}}`)
      return directive(this, rest.trim())
    })
  }

  private conditions(event: string, values: ReadonlyMap<string, string>): readonly string[] {
    const fields = this.input.events[event]?.fields ?? {}
    const expressionOf = (name: string): Expression | null => {
      const spec = fields[name]
      if (spec === undefined) return null
      const from = kinds[spec.kind].travel === 'derived' ? spec.of : name
      const value = values.get(from ?? '')
      const of = fields[from ?? '']
      if (value === undefined || of === undefined) return null
      const { expression } = this.value(value, of, name)
      return expression.as === 'opaque' || of.nullAs === undefined
        ? expression
        : { ...expression, nullAs: of.nullAs }
    }
    return this.input.filters.flatMap((filter, index) => {
      const condition = kernelCondition(filter, expressionOf)
      const places = condition === null ? this.passedOn : this.judged
      places.add(index)
      return condition === null ? [] : [condition]
    })
  }

  private record(
    layout: RecordLayout,
    values: readonly string[],
    conditions: readonly string[],
  ): string {
    const site = this.sites.get(layout.code) ?? 0
    this.sites.set(layout.code, site + 1)
    const { token } = this.secrets
    const gate = `@stop_${token} == 0`
    const condition = [gate, ...conditions].join(' && ')
    const printed = this.printf(
      layout.code,
      layout.closed.map((field) => field.spec),
      layout.texts.length,
      values,
    )
    return `if (${condition}) { ${counterName(token, layout.code, site)} = count(); ${printed} }`
  }

  private control(code: string): string {
    return this.printf(code, [{ kind: 'ktime', doc: '' }], 0, ['nsecs'])
  }

  private printf(
    code: string,
    closed: readonly FieldSpec[],
    texts: number,
    values: readonly string[],
  ): string {
    const inText = this.input.dialect.token === 'text'
    const { token } = this.secrets
    const mark = inText ? token : '%lx'
    const conversions = closed.map(
      (spec) => `\\t${inText ? longConversion(spec) : shortConversion(spec)}`,
    )
    const format = `${mark}${code}${conversions.join('')}${`${mark}\\t%s`.repeat(texts)}${mark}\\n`
    const marker = inText ? [] : [`0x${token}`]
    const args = [
      ...marker,
      ...values.slice(0, closed.length),
      ...values.slice(closed.length).flatMap((text) => [...marker, text]),
      ...marker,
    ]
    return `printf("${format}"${args.map((arg) => `, ${arg}`).join('')});`
  }

  private user(pointer: string): string {
    return `${this.input.dialect.userPointer}(${pointer})`
  }

  private member(path: string): BtfMember {
    const member = this.input.members[path]
    if (member === undefined || member === null)
      throw broken(this.input.where, `no place known for ${path}`)
    return member
  }

  private struct(offset: number, type: string, length = 0): string {
    const name = `er_${offset}_${type.replaceAll(' ', '_')}${length > 0 ? `_${length}` : ''}`
    const pad = offset > 0 ? `char pad[${offset}]; ` : ''
    this.structNames.set(name, `${pad}${type} v${length > 0 ? `[${length}]` : ''};`)
    return name
  }
}

type Directive = (run: Rendering, rest: string) => string

const directives: Readonly<Record<string, Directive>> = {
  read: (run, rest) => {
    const [path = '', ...pointer] = rest.split(/\s+/)
    return run.read(path, pointer.join(' '))
  },
  port: (run, rest) => run.port(rest),
  word: (run, rest) => run.word(rest),
  text: (run, rest) => run.text(rest),
  entry: (run, rest) => run.fentry('entry', rest),
  exit: (run, rest) => run.fentry('exit', rest),
  items: (run) => run.items(),
  param: (run, rest) => run.param(rest),
  part: (run, rest) => run.part(rest),
  emit: (run, rest) => run.emit(rest),
}

function directiveNamed(name: string): Directive | undefined {
  return Object.hasOwn(directives, name) ? directives[name] : undefined
}

/** Name of the per-CPU count beside one emit. */
function counterName(token: string, code: string, site: number): string {
  return `@n_${token}_${code}_${site}`
}

function longConversion(spec: FieldSpec): string {
  return isSigned(spec) ? '%lld' : kinds[spec.kind].printf
}

function isSigned(spec: FieldSpec): boolean {
  return kinds[spec.kind].printf === '%lld' || (typeof spec.nullAs === 'number' && spec.nullAs < 0)
}

/** Formats are limited to 64 bytes on 0.11: %u where 32 bits are all there is. */
function shortConversion(spec: FieldSpec): string {
  if (kinds[spec.kind].printf === '%s') return '%s'
  if (spec.kind === 'ktime' || spec.kind === 'u64' || spec.kind === 'duration') return '%lu'
  return isSigned(spec) ? '%d' : '%u'
}

function scalarType(size: number, signed: boolean): string {
  const type = { 1: 'char', 2: 'short', 4: 'int', 8: 'long' }[size] ?? 'long'
  return signed ? type : `unsigned ${type}`
}

function atom(expression: string): string {
  return /^[$@\w]+$/.test(expression) ? expression : `(${expression})`
}
