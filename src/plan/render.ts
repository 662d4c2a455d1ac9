import type { BtfMember, LibraryFacts } from '../host/facts.ts'
import type { EventSpec, FieldSpec } from '../schema/define.ts'
import { isOnWire } from '../schema/kinds.ts'
import type { GroupLayout } from '../wire/groups.ts'
import { controlCodes, type RecordLayout } from '../wire/layout.ts'
import { mapName } from '../wire/map-names.ts'
import { commandProgram } from './command.ts'
import { type Condition, kernelCondition, unownedCondition } from './conditions.ts'
import type { Dialect } from './dialect.ts'
import { type Emit, filterExpression, parseEmit, type Rendered, renderValue } from './emit.ts'
import type { AnyFilter } from './filters.ts'
import { renderFooter } from './footer.ts'
import {
  bytesOnStack,
  controlPrintf,
  counterName,
  fullName,
  recordPrintf,
  unownedName,
} from './records.ts'
import { uprobePath } from './needs.ts'
import { readsStruct, StructTable } from './structs.ts'
import { renderAggregate, type SummaryPlan } from './summary.ts'
import { isTaskNumber, readTaskNumber, taskFilters } from './task-numbers.ts'
import { broken, type Node, socketEnds } from './template.ts'

/** Everything a program is made from, but the secrets of one run. */
export interface ProgramInput {
  /** `tcpconnect/tracepoint.bt`, for errors. */
  readonly where: string
  readonly nodes: readonly Node[]
  readonly dialect: Dialect
  readonly events: Readonly<Record<string, EventSpec>>
  readonly layouts: readonly RecordLayout[]
  readonly members: Readonly<Record<string, BtfMember | null>>
  readonly libraries: Readonly<Record<string, LibraryFacts>>
  readonly options: Readonly<Record<string, boolean>>
  readonly params: Readonly<Record<string, number>>
  readonly filters: readonly AnyFilter[]
  /** Events are aggregated and not sent. */
  readonly summary: SummaryPlan | null
  /** The kernel has signal:signal_generate, so that the end gate can be closed. */
  readonly canGate: boolean
  /** Somebody's own program: each filter is applied after, and its events need not all be emitted. */
  readonly isScript: boolean
}

/** What only one run knows. */
export interface Secrets {
  /** 16 hexadecimal digits, the first 1 to 7. */
  readonly token: string
  /** Process id of the child as the kernel numbers it; null where the kernel numbers processes otherwise than we do: no end gate. */
  readonly childPid: number | null
  /** The same of ebpf-run itself. */
  readonly ownPid: number | null
  /** Process id of the command that is traced with its descendants; null: there is none. */
  readonly commandPid: number | null
}

export type Applied = 'kernel' | 'both' | 'after'

export interface Program {
  readonly text: string
  /** For each filter: where it is applied. `both`: the kernel passes on what it cannot judge, such as unknown owners. */
  readonly applied: readonly Applied[]
}

/** Renders a template. Throws BAD_DEFINITION for any directive, field or path that it does not know. */
export function renderProgram(input: ProgramInput, secrets: Secrets): Program {
  const { dialect, canGate } = input
  const { token, childPid } = secrets
  // Nobody asks a script who descends from the command.
  const commandPid = input.isScript ? null : secrets.commandPid
  const run = new Rendering(input, secrets)
  const plain = run.render(input.nodes)
  // bpftrace's errors name lines: those of a script stay where they are.
  const rendered = input.isScript ? plain.trimEnd() : tidy(plain)
  const body = dialect.needsBarriers ? withBarriers(rendered) : rendered
  if (!input.isScript) run.checkComplete()
  const footer = renderFooter({
    // The maps of a script carry the token, and are asked for.
    body: input.isScript ? '' : body,
    sites: run.sites,
    hasFull: run.hasFull,
    hasUnowned: run.hasUnowned,
    followsCommand: commandPid !== null,
    summary: input.summary,
    dialect,
    token,
    gatePid: canGate ? childPid : null,
    ending: run.ending,
  })
  const command = commandPid === null ? '' : commandProgram(token, commandPid)
  const parts = [run.structs.text(), settings(body, input), body, command, footer].filter(
    (part) => part !== '',
  )
  const text = `${parts.join('\n\n')}\n`
  if (text.includes('{{')) throw broken(input.where, 'a {{ is left over')
  return { text, applied: input.filters.map((_, index) => run.applied(index)) }
}

/** bpftrace puts no larger object on the stack (an assertion in 0.27), and a program's stack has 512 bytes. */
const largestOnStack = 256
/** Of these a record and its texts may take so many; the rest is for what a template keeps. */
const mostOnStack = 400

/**
 * What is set for the program; stands behind structs. One that several functions share is attached to all of them or not at all: none is
 * left out in silence. Records are put together on the stack where they have room: bpftrace keeps them otherwise in one place of the CPU
 * for all programs, and where the kernel preempts programs (Linux 7, PREEMPT kernels) another one writes over it.
 */
function settings(body: string, { dialect, isScript, layouts }: ProgramInput): string {
  const hasSeveral = /^kprobe:\S+,$/m.test(body)
  const isStrict = hasSeveral && dialect.whenRefused === 'warns unless told' && !isScript
  const fits = layouts.every((layout) => bytesOnStack(layout) <= mostOnStack)
  const set = [
    ...(isStrict ? ['missing_probes = "error";'] : []),
    ...(dialect.canKeepOnStack && fits && !isScript ? [`on_stack_limit = ${largestOnStack};`] : []),
  ]
  return set.length === 0 ? '' : `config = { ${set.join(' ')} }`
}

/** Without the empty lines that directives leave. */
function tidy(text: string): string {
  return text.replace(/\n(?:[ \t]*\n){2,}/g, '\n\n').trim()
}

/** A call after each statement that reads a struct into a variable: see `needsBarriers`. */
function withBarriers(body: string): string {
  return body.replace(/^[ \t]*\$\w+ = .*;$/gm, (statement) =>
    readsStruct(statement) ? `${statement}\n  ${barrier}` : statement,
  )
}

/** Struct reads among the values of a record, put into variables in front of it. An ntop() reads for itself. */
function hoist(printed: readonly string[]): { before: string; values: readonly string[] } {
  const before: string[] = []
  const values = printed.map((value, index) => {
    if (!readsStruct(value) || value.startsWith('ntop(')) return value
    before.push(`$er_${index} = ${value};\n  `)
    return `$er_${index}`
  })
  return { before: before.join(''), values }
}

const barrier = '$er_barrier = nsecs;'

/** The state of one rendering; lives only inside `renderProgram`. */
class Rendering {
  readonly structs: StructTable
  /** Record code to the number of places that emit it. */
  readonly sites = new Map<string, number>()
  /** Something counts what did not fit into a map. */
  hasFull = false
  /** Something counts events that are in no group because nobody knows whose they are. */
  hasUnowned = false
  /** What is done once when the gate closes. */
  ending = ''
  private readonly judged = new Set<number>()
  private readonly passedOn = new Set<number>()
  private readonly input: ProgramInput
  private readonly secrets: Secrets

  constructor(input: ProgramInput, secrets: Secrets) {
    this.input = input
    this.secrets = secrets
    this.structs = new StructTable(input.members, input.where)
  }

  render(nodes: readonly Node[]): string {
    return nodes.map((node) => this.node(node)).join('')
  }

  applied(filter: number): Applied {
    if (!this.passedOn.has(filter)) return 'kernel'
    return this.judged.has(filter) ? 'both' : 'after'
  }

  checkComplete(): void {
    for (const layout of this.input.layouts) {
      if (!this.sites.has(layout.code))
        throw this.broken(`nothing emits ${layout.event}${layout.part ? `.${layout.part}` : ''}`)
    }
  }

  private node(node: Node): string {
    if (node.is === 'text') return node.text
    if (node.is === 'when') {
      const { options } = this.input
      if (node.condition === 'ending') return this.atEnd(node.then)
      if (!Object.hasOwn(options, node.condition))
        throw this.broken(`unknown condition {{when ${node.condition}}}`)
      return this.render(options[node.condition] ? node.then : node.otherwise)
    }
    const directive = directiveNamed(node.name)
    if (directive === undefined) throw this.broken(`unknown directive {{${node.name}}}`)
    return directive(this, this.expand(node.rest))
  }

  /** Moves statements into the gate's program, where there is a gate. */
  private atEnd(nodes: readonly Node[]): string {
    if (this.hasGate()) this.ending += this.render(nodes)
    return ''
  }

  private hasGate(): boolean {
    return this.input.canGate && this.secrets.childPid !== null
  }

  /** A map of a script's. */
  map(name: string): string {
    return mapName(this.secrets.token, name)
  }

  /** Sees to it that the counts are printed when bpftrace ends. */
  counted(): string {
    return `@z_${this.secrets.token} = count();`
  }

  fentry(which: 'entry' | 'exit', name: string): string {
    const { fentry } = this.input.dialect
    if (fentry === null) throw this.broken('this bpftrace has no fentry')
    return `${fentry[which]}:${name}`
  }

  uprobe(type: 'uprobe' | 'uretprobe' | 'usdt', library: string, name: string): string {
    return `${type}:${uprobePath(this.input, library, name, type === 'usdt')}:${name}`
  }

  /** The number of an enum's name on this host, a number that no enum has where it is unknown. */
  named(path: string, name: string): string {
    const [event = '', field = ''] = path.split('.')
    const spec = this.input.events[event]?.fields[field]
    if (spec?.kind !== 'enum') throw this.broken(`{{named ${path}}} is no enum of an event`)
    const found = Object.entries(spec.names ?? {}).find(([, each]) => each === name)
    return found?.[0] ?? '4294967295'
  }

  word(pointer: string): string {
    return this.structs.word(this.user(pointer))
  }

  /** Two more than the bytes shown: one to know that there was more, one for the NUL. */
  text(rest: string): string {
    return this.stringAt(rest, (pointer) => this.user(pointer))
  }

  /** The same at an address of the kernel's. */
  name(rest: string): string {
    return this.stringAt(rest, (pointer) => pointer)
  }

  private stringAt(rest: string, at: (pointer: string) => string): string {
    const [, pointer = '', bytes = ''] = /^([^]*)\s(\d+)$/.exec(rest) ?? []
    if (bytes === '') throw this.broken(`'${rest}' needs an address and a number of bytes`)
    return `str(${at(pointer)}, ${Number(bytes) + 2})`
  }

  task(number: string, variable: string, pointer: string): string {
    if (!isTaskNumber(number)) throw this.broken(`{{task ${number}}} is no number of a task`)
    const { before, text } = readTaskNumber(this.structs, number, pointer)
    return `${before}${variable} = ${text};`
  }

  /** Where a variable of the kernel is; bpftrace looks it up. */
  symbol(name: string): string {
    if (!/^\w+$/.test(name)) throw this.broken(`{{symbol ${name}}} is no name`)
    return `(uint64)kaddr("${name}")`
  }

  items(): string {
    return String(this.input.dialect.listItems)
  }

  /** No task that makes calls has the number 0. */
  pid(of: 'childPid' | 'ownPid'): string {
    return String(this.secrets[of] ?? 0)
  }

  param(name: string): string {
    const value = Object.hasOwn(this.input.params, name) ? this.input.params[name] : undefined
    if (value === undefined) throw this.broken(`unknown param ${name}`)
    return String(value)
  }

  /** Counts, where a map that should have taken a value has none: it is full. */
  kept(entry: string): string {
    this.hasFull = true
    return `if (${entry} == 0) { ${fullName(this.secrets.token)} = count(); }`
  }

  learn(key: string, port: string): string {
    return this.keep(key, () => this.far(key, port) + this.near(key), '$er_near')
  }

  /** As learn, where the local end is not known yet: the socket's inode stands for it. */
  open(key: string, port: string): string {
    return this.keep(key, () => this.far(key, port) + this.held(key), '$er_held')
  }

  /** Where the local end is known now, it takes the place of the inode. The owner stays who it was. */
  settle(key: string, port: string): string {
    if (!this.hasOwners()) return ''
    return `if (@ends[${key}] != 0) {
  ${this.far(key, port)}${this.held(key)}if ($er_inode != 0 && @ends[${key}] == $er_held) {
  ${this.near(key)}@ends[${key}] = $er_near;
  } }`
  }

  forget(key: string): string {
    if (!this.hasOwners()) return ''
    return ownerMaps.map((map) => `delete(@${map}[${key}]);`).join(' ')
  }

  owner(variable: string, key: string, port: string): string {
    const nobody = `${variable} = (uint64)0;`
    if (!this.hasOwners()) return nobody
    const same = `@ends[${key}] == $er_near || ($er_inode != 0 && @ends[${key}] == $er_held)`
    return `${nobody}
  if (@ends[${key}] != 0) {
  ${this.far(key, port)}${this.held(key)}${this.near(key)}if (${same}) { ${variable} = ${key}; }
  }`
  }

  /** Keeps the current task. The number of the ends comes last: without it nothing else counts. */
  private keep(key: string, reads: () => string, ends: string): string {
    if (!this.hasOwners()) return ''
    const own = `@pid[${key}] = pid; @uid[${key}] = (uint64)uid + 1; @cgroup[${key}] = cgroup; @comm[${key}] = comm;`
    return `${reads()}delete(@ends[${key}]); ${own} @ends[${key}] = ${ends}; ${this.kept(`@ends[${key}]`)}`
  }

  /** Without BTF nobody can tell a socket from an earlier one at its address, and a variant that cannot tell owners keeps none. */
  private hasOwners(): boolean {
    const isTold = this.input.layouts.some(({ closed }) =>
      closed.some(({ name }) => name === 'pid'),
    )
    return isTold && Object.values(socketEnds).every((path) => this.structs.has(path))
  }

  /** Makes a number of the remote end of the socket at an address, and of its network namespace. */
  private far(key: string, port: string): string {
    const { structs } = this
    return lines(
      `$er_high = ${structs.half(socketEnds.remote, key, 0)};`,
      `$er_low = ${structs.half(socketEnds.remote, key, 1)};`,
      `$er_net = ${structs.read(socketEnds.net, key)};`,
      `$er_netns = ${structs.read(socketEnds.netns, '$er_net')};`,
      `$er_far = ${joined('$er_high', '$er_low', '$er_netns', port)};`,
    )
  }

  /** One more of these and the inode. */
  private held(key: string): string {
    const { structs } = this
    return lines(
      `$er_socket = ${structs.read(socketEnds.socket, key)};`,
      `$er_inode = ${structs.read(socketEnds.inode, '$er_socket')};`,
      `$er_held = ${joined('$er_far', '$er_inode')};`,
    )
  }

  /** One of the remote end, the local one, and the first sequence number: what is acknowledged, less how much that is. */
  private near(key: string): string {
    const { structs } = this
    return lines(
      `$er_high = ${structs.half(socketEnds.local, key, 0)};`,
      `$er_low = ${structs.half(socketEnds.local, key, 1)};`,
      `$er_port = (uint64)${structs.port(socketEnds.port, key)};`,
      `$er_una = ${structs.read(socketEnds.unacked, key)};`,
      `$er_acked = ${structs.read(socketEnds.acked, key)};`,
      `$er_first = ($er_una - $er_acked) & 4294967295;`,
      `$er_near = ${joined('$er_far', '$er_high', '$er_low', '($er_first << 16) + $er_port')};`,
    )
  }

  part(rest: string): string {
    const [target = '', key = '', index = '', ...text] = rest.split(/\s+/)
    const layout = this.input.layouts.find(
      (each) => each.part !== undefined && `${each.event}.${each.part}` === target,
    )
    if (layout === undefined) throw this.broken(`{{part ${target}}} is no list of an event`)
    return this.record(layout, [key, index, text.join(' ')], [])
  }

  emit(rest: string): string {
    const emit = parseEmit(rest, this.input.events, this.input.where)
    const { event, values } = emit
    const layout = this.input.layouts.find(
      (each) => each.event === event && each.part === undefined,
    )
    if (layout === undefined) throw this.broken(`{{emit ${event}}} is no event of this probe`)
    const fields = [...layout.closed, ...layout.texts]
    const expected = new Set(fields.map((field) => field.name))
    const specs = this.input.events[event]?.fields ?? {}
    for (const name of values.keys()) {
      // What this variant cannot tell may stand in a template that variants share.
      const spec = specs[name]
      const isLeftOut = spec !== undefined && isOnWire(spec.kind)
      if (!expected.has(name) && !isLeftOut)
        throw this.broken(`${event}.${name} is emitted, but is not on the wire`)
    }
    const rendered = new Map(
      fields.map(({ name, spec }) => {
        const value = values.get(name)
        if (value === undefined) throw this.broken(`${event}.${name} is not emitted`)
        return [name, this.value(value, spec, name)] as const
      }),
    )
    const before = this.taskReads()
    const group = this.input.summary?.groups.find((each) => each.code === layout.code)
    if (group !== undefined)
      return before + this.aggregate(layout, group, rendered, this.conditions(emit))
    const printed = [...rendered.values()].map((value) => value.printed)
    const hoisted = this.input.dialect.needsBarriers
      ? hoist(printed)
      : { before: '', values: printed }
    const conditions = this.conditions(emit).map(({ condition }) => condition)
    const record = this.record(layout, hoisted.values, conditions, emit)
    return before + hoisted.before + record
  }

  /** Directives may stand inside an expression in single braces: `{read PATH EXPR}`. */
  expand(expression: string): string {
    return expression.replace(/\{([a-z]+)\s+([^{}]*)\}/g, (_, name: string, rest: string) => {
      const directive = directiveNamed(name)
      if (directive === undefined) throw this.broken(`unknown directive {${name}}`)
      return directive(this, rest.trim())
    })
  }

  broken(what: string): Error {
    return broken(this.input.where, what)
  }

  private value(value: string, spec: FieldSpec, name: string): Rendered {
    const { structs } = this
    const expand = (text: string): string => this.expand(text)
    return renderValue(value, spec, { name, where: this.input.where, structs, expand })
  }

  /** Reads what filters ask of the current task. */
  private taskReads(): string {
    return taskFilters(this.input.filters)
      .map(({ field }) => readTaskNumber(this.structs, field).before)
      .join('')
  }

  private conditions(emit: Emit): readonly Condition[] {
    const fields = this.input.events[emit.event]?.fields ?? {}
    if (this.input.isScript) {
      for (const index of this.input.filters.keys()) this.passedOn.add(index)
      return []
    }
    return this.input.filters.flatMap((filter, index) => {
      const applied = kernelCondition(
        filter,
        (name) =>
          filter.by === 'task'
            ? { as: 'value', text: readTaskNumber(this.structs, filter.field).text }
            : filterExpression(name, emit, fields, (value, spec) => this.value(value, spec, name)),
        { ...this.secrets, passUnknown: this.input.summary === null },
      )
      if (applied === null || applied.passesUnknown) this.passedOn.add(index)
      if (applied !== null) this.judged.add(index)
      return applied === null ? [] : [applied]
    })
  }

  private aggregate(
    layout: RecordLayout,
    group: GroupLayout,
    values: ReadonlyMap<string, Rendered>,
    conditions: readonly Condition[],
  ): string {
    const { token } = this.secrets
    const { dialect } = this.input
    const unowned = unownedCondition(conditions)
    if (unowned !== null) this.hasUnowned = true
    const others =
      unowned === null
        ? ''
        : `if (${[...this.gateCondition(), unowned].join(' && ')}) { ${unownedName(token)} = count(); } `
    const valueOf = (name: string): Rendered => {
      const value = values.get(name)
      if (value === undefined) throw this.broken(`${layout.event}.${name} is not emitted`)
      return value
    }
    const statement = renderAggregate(group, valueOf, { token, dialect })
    const all = conditions.map(({ condition }) => condition)
    return others + this.behindGate(layout, all, statement)
  }

  private record(
    layout: RecordLayout,
    values: readonly string[],
    conditions: readonly string[],
    { around, always }: Pick<Emit, 'around' | 'always'> = { around: [], always: false },
  ): string {
    const { token } = this.secrets
    // Where events are aggregated, parts of them and types outside the grouping are not sent.
    if (this.input.summary !== null) {
      this.sites.set(layout.code, this.sites.get(layout.code) ?? 0)
      return ''
    }
    const { dialect } = this.input
    const printf = recordPrintf(layout, values, token, dialect)
    const statement =
      around.length === 0
        ? printf
        : [
            controlPrintf(controlCodes.mark, token, dialect, 'cpu'),
            ...around.map((each) => `${this.expand(each)};`),
            printf,
          ].join(' ')
    return this.behindGate(layout, conditions, statement, always)
  }

  /** A statement behind the gate and the filters, with the count beside it. */
  private behindGate(
    layout: RecordLayout,
    conditions: readonly string[],
    statement: string,
    always = false,
  ): string {
    const { token } = this.secrets
    const site = this.sites.get(layout.code) ?? 0
    this.sites.set(layout.code, site + 1)
    const all = [...(always ? [] : this.gateCondition()), ...conditions]
    const counted = `${counterName(token, layout.code, site)} = count(); ${statement}`
    return all.length === 0 ? counted : `if (${all.join(' && ')}) { ${counted} }`
  }

  /** Without a gate nothing sets its map, and bpftrace refuses a map that nothing sets. */
  private gateCondition(): readonly string[] {
    return this.hasGate() ? [`@stop_${this.secrets.token} == 0`] : []
  }

  user(pointer: string): string {
    return `${this.input.dialect.userPointer}(${pointer})`
  }
}

type Directive = (run: Rendering, rest: string) => string

/** The first word, and all that follows it. */
function split(rest: string): readonly [string, string] {
  const [first = '', ...others] = rest.split(/\s+/)
  return [first, others.join(' ')]
}

const directives: Readonly<Record<string, Directive>> = {
  read: (run, rest) => run.structs.read(...split(rest)),
  port: (run, rest) => run.structs.port(...split(rest)),
  string: (run, rest) => run.structs.string(...split(rest)),
  byte: (run, rest) => run.structs.byte(rest),
  user: (run, rest) => run.user(rest),
  word: (run, rest) => run.word(rest),
  pointer: (run, rest) => run.structs.word(rest),
  text: (run, rest) => run.text(rest),
  name: (run, rest) => run.name(rest),
  offset: (run, rest) => String(run.structs.offset(rest)),
  entry: (run, rest) => run.fentry('entry', rest),
  exit: (run, rest) => run.fentry('exit', rest),
  uprobe: (run, rest) => run.uprobe('uprobe', ...split(rest)),
  uretprobe: (run, rest) => run.uprobe('uretprobe', ...split(rest)),
  usdt: (run, rest) => run.uprobe('usdt', ...split(rest)),
  task(run, rest) {
    const [number, others] = split(rest)
    return run.task(number, ...split(others))
  },
  symbol: (run, rest) => run.symbol(rest),
  items: (run) => run.items(),
  param: (run, rest) => run.param(rest),
  child: (run) => run.pid('childPid'),
  own: (run) => run.pid('ownPid'),
  map: (run, name) => run.map(name),
  counted: (run) => run.counted(),
  named: (run, rest) => run.named(...split(rest)),
  kept: (run, rest) => run.kept(rest),
  learn: (run, rest) => run.learn(...split(rest)),
  open: (run, rest) => run.open(...split(rest)),
  settle: (run, rest) => run.settle(...split(rest)),
  forget: (run, key) => run.forget(key),
  owner(run, rest) {
    const [variable, [key, port]] = [split(rest)[0], split(split(rest)[1])]
    return run.owner(variable, key, port)
  },
  part: (run, rest) => run.part(rest),
  emit: (run, rest) => run.emit(rest),
}

/** What is kept of a socket's owner. `ends`, a number made of the socket's ends, tells whether the memory is still the same socket's. */
const ownerMaps = ['ends', 'pid', 'uid', 'cgroup', 'comm']

const lines = (...statements: readonly string[]): string =>
  statements.map((statement) => `${statement}\n  `).join('')

/** A number of 64 bits made of several: others make the same one once in 2^64 times. */
function joined(first: string, ...others: readonly string[]): string {
  return others.reduce((sum, value) => `(${sum}) * 6364136223846793005 + ${value}`, first)
}

function directiveNamed(name: string): Directive | undefined {
  return Object.hasOwn(directives, name) ? directives[name] : undefined
}
