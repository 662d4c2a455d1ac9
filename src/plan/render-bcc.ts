import { EbpfRunError } from '../errors.ts'
import { cDeclaration, type CStruct, cStruct } from '../schema/c-struct.ts'
import { isOnWire } from '../schema/kinds.ts'
import type { GroupLayout } from '../wire/groups.ts'
import type { RecordLayout } from '../wire/layout.ts'
import { exitMacro, interfaceStruct, prelude, preludeWithoutHeaders } from './bcc-prelude.ts'
import type { Attach, BccInput, BccProgram } from './bcc-program.ts'
import { type Condition, kernelCondition, unownedCondition } from './conditions.ts'
import { cPresets, cSpelling, fillMember, memberExpression } from './emit-bcc.ts'
import { parseEmit } from './emit.ts'
import type { TaskNumber } from './filters.ts'
import { uprobePath } from './needs.ts'
import {
  forgetOwner,
  learnOwner,
  openOwner,
  ownerDeclarations,
  ownerOf,
  settleOwner,
} from './owners-bcc.ts'
import type { Applied, Secrets } from './render.ts'
import {
  addToGroup,
  groupFunctions,
  groupMap,
  groupRequest,
  groupScratch,
  keyBytes,
} from './summary-bcc.ts'
import { isTaskNumber, taskFilters, taskNumberInC } from './task-numbers.ts'
import { broken, hasDirective, type Node } from './template.ts'
import { markPrograms, readUserMacro } from './usdt-bcc.ts'

/*
 * A fallback.bcc.c is C for bcc with these directives; `ctx` is the first argument of every program:
 *
 *   include FILE, when NAME / else / end, param NAME, child, own   as in a .bt template
 *   kprobe FUNC ARGS          head of a program at a function's entry, ARGS as C declares them
 *   kprobes FUNC,FUNC,...     head of one at the entries of all these
 *   kretprobe FUNC N          head of one at its return, for N calls at a time
 *   tracepoint CATEGORY:NAME  head of one at a tracepoint; its fields are ctx->field
 *   rawtracepoint NAME        the same without a format; arguments are ctx->args[n]
 *   exit FUNC                 head of one at a function's end, by trampoline; ctx[n] are its arguments, then its result
 *   uprobe LIB FUNC           head of one at a function of a shared library, uretprobe at its return
 *   usdt FILE PROVIDER:NAME N ...
 *                             head of one at a mark that a program's author left; it has the arguments N ... as argN, and a bit
 *                             in `unread` for each that could not be read
 *   read EXPR                 a member of a kernel struct, by the kernel's own headers
 *   task NUMBER VARIABLE EXPR  declares a variable, a number of the task at an address: ppid, mntns, pidns or netns; 0 for none
 *   port EXPR                 the same for a 16-bit number in network order
 *   offset PATH               where a member of a kernel struct begins, in bytes, by the running kernel's BTF: of structs that no header has
 *   symbol NAME               the address of a variable of the kernel
 *   xdp MODES                 head of one at XDP, in the first of these modes that will do: native, generic
 *   tcx DIRECTION             head of one at tc, ingress or egress, by a BPF link
 *   tc DIRECTION              the same by a filter of tc
 *   socket                    head of a socket filter
 *   interface VARIABLE INDEX  declares a pointer to an interface of those asked for: its name, and whether its packets begin
 *                             with an Ethernet header
 *   keys                      how many keys a map may hold
 *   kept EXPR                 runs a map's update, and counts that the map was full
 *   learn KEY PORT            keeps the current task as the owner of a connection's socket
 *   open KEY PORT             the same for one that has no local end yet
 *   settle KEY PORT           it has one now; the owner stays
 *   forget KEY                drops the owner
 *   owner VARIABLE KEY PORT   declares a pointer to the owner, null when nobody is known or the socket has other ends
 *   part EVENT.LIST KEY INDEX TEXT
 *   emit EVENT + lines as in a .bt template
 *
 * A text in an emit is `comm`, `user EXPR`, `kernel EXPR` or `bytes EXPR` (as many as the member has room for); an address is `in6 EXPR` or `raw EXPR` (where 16 bytes lie: in the
 * kernel, or in ctx), `in4 EXPR` (32 bits, network order), `user6 EXPR` or `user4 EXPR` (where it lies in the traced process) or `bound EXPR` (the local one of a socket, also where only bind() has
 * set it); a call stack is `kstack`. Names that begin with er_ are ours.
 */

/** Renders a C template. Throws BAD_DEFINITION for any directive or field that it does not know. */
export function renderBcc(input: BccInput, secrets: Secrets): BccProgram {
  const run = new Rendering(input, secrets)
  const body = run
    .render(input.nodes)
    .replace(/\n(?:[ \t]*\n){2,}/g, '\n\n')
    .trim()
  run.checkComplete()
  const text = [run.head(), body, run.command()].filter((part) => part !== '').join('\n\n')
  if (text.includes('{{')) throw broken(input.where, 'a {{ is left over')
  return {
    text: `${text}\n`,
    applied: input.filters.map((_, index) => run.applied(index)),
    structs: input.summary === null ? run.structs : [],
    groups: run.groups.map(groupRequest),
    counts: run.counts.map(({ code, site, at }) => ({ code, site, at })),
    fullAt: run.hasFull ? fullAt : null,
    unownedAt: run.hasUnowned ? run.unownedAt : null,
    symbols: [...run.symbols],
    attach: run.attach,
  }
}

/** Place of the count of full maps; those of the emits follow, and then that of events of unknown owners. */
const fullAt = 0
const unownedPlace = 'ER_UNOWNED'

/** Of the 512 bytes of a program's stack, what a record may take. */
const stackBytes = 384

class Rendering {
  readonly structs: (CStruct & { readonly layout: RecordLayout })[]
  readonly symbols = new Set<string>()
  readonly counts: { code: string; site: number; at: number; struct: string }[] = []
  readonly attach: Attach[] = []
  readonly groups: readonly GroupLayout[]
  hasFull = false
  hasUnowned = false
  private hasOwners = false
  private hasInterfaces = false
  private readonly seen = new Set<string>()
  /** Programs at functions of user space, which other programs of the same CPU may preempt. */
  private readonly hasUprobes: boolean
  private readonly taskNumbers = new Set<TaskNumber>()
  private readonly judged = new Set<number>()
  private readonly passedOn = new Set<number>()
  private readonly input: BccInput
  private readonly secrets: Secrets

  constructor(input: BccInput, secrets: Secrets) {
    this.input = input
    this.secrets = secrets
    this.structs = input.layouts.map((layout, index) => ({
      ...cStruct(`er_record_${index}`, [...layout.closed, ...layout.texts]),
      layout,
    }))
    this.groups = input.summary?.groups ?? []
    this.hasUprobes = hasDirective(input.nodes, ['uprobe', 'uretprobe', 'usdt'])
    if (this.hasUprobes) this.checkStack()
    for (const { field } of taskFilters(input.filters)) this.taskNumbers.add(field)
  }

  /** Records and keys are filled on the stack: a place of the CPU's would be shared with a program that preempts. */
  private checkStack(): void {
    for (const { layout, bytes } of this.structs) {
      const group = this.groups[this.groupOf(layout.code)]
      const both = bytes + (group === undefined ? 0 : keyBytes(group))
      if (group === undefined && both > stackBytes)
        throw this.broken(`${layout.event} has ${both} bytes, the stack no more than ${stackBytes}`)
      if (both > stackBytes)
        throw new EbpfRunError({
          code: 'CONFLICT',
          message: `--summary and --hist: bcc fills events and groups of functions of user space on the stack, and has no room for these`,
          expected: `at most ${stackBytes} bytes`,
          found: `${both} bytes`,
          remedy: '--by with fewer texts, --backend bpftrace, or count the events themselves',
        })
    }
  }

  render(nodes: readonly Node[]): string {
    return nodes.map((node) => this.node(node)).join('')
  }

  applied(filter: number): Applied {
    if (!this.passedOn.has(filter)) return 'kernel'
    return this.judged.has(filter) ? 'both' : 'after'
  }

  checkComplete(): void {
    for (const { layout } of this.structs) {
      if (!this.seen.has(layout.code))
        throw this.broken(`nothing emits ${layout.event}${layout.part ? `.${layout.part}` : ''}`)
    }
  }

  /** What stands in front of the template: records, maps. */
  head(): string {
    const { transport, ringBytes, mapKeys, hasHeaders } = this.input
    const pages = ringBytes / 4096
    const out =
      transport === 'perf buffer'
        ? 'BPF_PERF_OUTPUT(er_out);'
        : `BPF_RINGBUF_OUTPUT(er_out, ${pages});`
    return [
      hasHeaders ? prelude : preludeWithoutHeaders,
      ...(!hasHeaders && (this.hasUprobes || hasDirective(this.input.nodes, ['kprobes']))
        ? ['#include <uapi/linux/ptrace.h>']
        : []),
      ...(hasDirective(this.input.nodes, ['exit']) ? [exitMacro] : []),
      ...(hasDirective(this.input.nodes, ['usdt']) ? [readUserMacro] : []),
      ...[...this.taskNumbers].map((number) => taskNumberInC(number).definition),
      ...(this.hasInterfaces ? [interfaceStruct] : []),
      ...this.structs.map(cDeclaration),
      ...(this.hasUprobes
        ? ['BPF_PROG_ARRAY(er_nowhere, 1);']
        : this.counts.map(
            ({ at, struct }) => `BPF_PERCPU_ARRAY(er_scratch_${at}, struct ${struct}, 1);`,
          )),
      ...(this.input.summary === null
        ? [out]
        : [
            ...groupFunctions(this.groups),
            ...this.groups.map((group, at) => groupMap(group, at, mapKeys)),
            ...(this.hasUprobes
              ? []
              : this.counts.map(({ at, code }) => groupScratch(this.groupOf(code), at))),
          ]),
      `BPF_ARRAY(er_gate, u32, 1);`,
      ...(this.hasUnowned ? [`#define ${unownedPlace} ${this.unownedAt}`] : []),
      `BPF_PERCPU_ARRAY(er_counts, u64, ${this.counts.length + (this.hasUnowned ? 2 : 1)});`,
      ...(this.hasOwners
        ? [ownerDeclarations, `BPF_HASH(er_owners, u64, struct er_owner, ${mapKeys});`]
        : []),
      ...(this.secrets.commandPid === null ? [] : [`BPF_HASH(er_kin, u32, u8, ${mapKeys});`]),
    ].join('\n')
  }

  /** Follows the forks of a run's command, as commandProgram does in bpftrace. */
  command(): string {
    const { commandPid } = this.secrets
    if (commandPid === null) return ''
    return `${tracepointHead('sched', 'sched_process_fork')}
{
  u32 parent = ctx->parent_pid;
  u32 child = ctx->child_pid;
  u8 one = 1;
  if (parent == ${commandPid} || er_kin.lookup(&parent) != 0)
    er_kin.update(&child, &one);
  else
    er_kin.delete(&child);
  return 0;
}`
  }

  private node(node: Node): string {
    if (node.is === 'text') return node.text
    if (node.is === 'when') {
      const { options } = this.input
      if (!Object.hasOwn(options, node.condition))
        throw this.broken(`unknown condition {{when ${node.condition}}}`)
      return this.render(options[node.condition] ? node.then : node.otherwise)
    }
    return this.directive(node.name)(this, this.expand(node.rest))
  }

  private directive(name: string): Directive {
    const found = Object.hasOwn(directives, name) ? directives[name] : undefined
    if (found === undefined) throw this.broken(`unknown directive {{${name}}}`)
    return found
  }

  /** Directives may stand inside an expression in single braces: `{read EXPR}`. */
  private expand(expression: string): string {
    return expression.replace(/\{([a-z]+)\s+([^{}]*)\}/g, (_, name: string, rest: string) =>
      this.directive(name)(this, rest.trim()),
    )
  }

  broken(what: string): Error {
    return broken(this.input.where, what)
  }

  program(
    kind: Attach['kind'],
    event: string,
    args: string,
    more: Pick<Attach, 'path' | 'places'> & { readonly instances?: number } = {},
  ): string {
    const name = `er_${kind}_${this.attach.length}`
    this.attach.push({ kind, event, function: name, instances: 0, ...more })
    return `int ${name}(struct pt_regs *ctx${args === '' ? '' : `, ${args}`})`
  }

  /** One program at the entries of several functions. */
  kprobes(functions: readonly string[]): string {
    const [first = '', ...others] = functions
    const at = this.attach.length
    const head = this.program('kprobe', first, '')
    for (const event of others)
      this.attach.push({ kind: 'kprobe', event, function: `er_kprobe_${at}`, instances: 0 })
    return head
  }

  /**
   * A uprobe's program runs with preemption on (from 6.0), and from 6.13 the kernel gives programs of its type one stack for each
   * CPU, which the next one then overwrites. It does not where a program has a tail call; ours leads nowhere.
   */
  uprobe(kind: 'uprobe' | 'uretprobe', library: string, symbol: string): string {
    const path = uprobePath(this.input, library, symbol)
    const body = `static __always_inline int er_body_${this.attach.length}(struct pt_regs *ctx)`
    const call = `er_body_${this.attach.length}(ctx)`
    return `${body};
${this.program(kind, symbol, '', { path })}
{
  er_nowhere.call(ctx, 0);
  return ${call};
}
${body}`
  }

  /** A program for all places that have the arguments at the same place. */
  usdt(library: string, rest: string): string {
    const [name, ...words] = rest.split(/\s+/)
    const mark = name ?? ''
    const path = uprobePath(this.input, library, mark, true)
    const places = this.input.libraries[library]?.marks?.[mark] ?? []
    const reads = words.map(Number)
    if (places.length === 0 || words.some((word) => !/^\d{1,2}$/.test(word)))
      throw this.broken(`{{usdt ${library} ${rest}}}: nothing is known of such a mark`)
    const names = ['unread', ...reads.map((index) => `arg${index}`)]
    const parameters = ['struct pt_regs *ctx', ...names.map((each) => `u64 ${each}`)]
    const at = this.attach.length
    const body = `static __always_inline int er_body_${at}(${parameters.join(', ')})`
    const programs = markPrograms(places, reads).map(
      ({ values, places: here }) => `${this.program('usdt', mark, '', { path, places: here })}
{
  er_nowhere.call(ctx, 0);
  u64 unread = 0;
${values.map((value, index) => `  u64 arg${reads[index]} = ${value};\n`).join('')}  return er_body_${at}(${['ctx', ...names].join(', ')});
}`,
    )
    return [`${body};`, ...programs, body].join('\n')
  }

  onInterface(kind: 'xdp' | 'tcx' | 'tc' | 'socket', event: string): string {
    const name = `er_${kind}_${this.attach.length}`
    this.attach.push({ kind, event, function: name, instances: 0 })
    return `int ${name}(struct ${kind === 'xdp' ? 'xdp_md' : '__sk_buff'} *ctx)`
  }

  interface(variable: string, index: string): string {
    this.hasInterfaces = true
    return `u32 er_key_${variable} = ${index};
  struct er_interface *${variable} = er_interfaces.lookup(&er_key_${variable});`
  }

  keys(): string {
    return String(this.input.mapKeys)
  }

  /** A member of a struct of the kernel's, which its headers place. */
  read(member: string): string {
    if (!this.input.hasHeaders)
      throw this.broken(`{{read ${member}}}: the kernel's headers are not among the needs`)
    return `ER_READ(${member})`
  }

  pid(of: 'childPid' | 'ownPid'): string {
    return String(this.secrets[of] ?? 0)
  }

  param(name: string): string {
    const value = Object.hasOwn(this.input.params, name) ? this.input.params[name] : undefined
    if (value === undefined) throw this.broken(`unknown param ${name}`)
    return String(value)
  }

  kept(update: string): string {
    this.hasFull = true
    return `if (${update} != 0) { ${count(fullAt)} }`
  }

  /** A statement about owners, which their map is declared for. */
  aboutOwners(statement: string): string {
    this.hasOwners = true
    return statement
  }

  task(number: string, variable: string, task: string): string {
    if (!isTaskNumber(number)) throw this.broken(`{{task ${number}}} is no number of a task`)
    this.taskNumbers.add(number)
    return `u64 ${variable} = ${taskNumberInC(number, task).call};`
  }

  /** Where a variable of the kernel is; the driver defines the macro. */
  symbol(name: string): string {
    if (!/^\w+$/.test(name)) throw this.broken(`{{symbol ${name}}} is no name`)
    this.symbols.add(name)
    return `ER_SYMBOL_${name}`
  }

  /** Where a member begins. */
  offset(path: string): string {
    const member = this.input.members[path]
    if (!member) throw this.broken(`no place known for ${path}`)
    return String(member.offset)
  }

  part(rest: string): string {
    const [target = '', key = '', index = '', ...text] = rest.split(/\s+/)
    const at = this.structs.findIndex(
      ({ layout }) => layout.part !== undefined && `${layout.event}.${layout.part}` === target,
    )
    if (at < 0) throw this.broken(`{{part ${target}}} is no list of an event`)
    return this.record(at, new Map(Object.entries({ key, index, text: text.join(' ') })), [])
  }

  emit(rest: string): string {
    const { events, where, filters } = this.input
    const emit = parseEmit(rest, events, where, cPresets)
    const at = this.structs.findIndex(
      ({ layout }) => layout.event === emit.event && layout.part === undefined,
    )
    const struct = this.structs[at]
    if (struct === undefined) throw this.broken(`{{emit ${emit.event}}} is no event of this probe`)
    const fields = events[emit.event]?.fields ?? {}
    for (const name of emit.values.keys()) {
      // What this run leaves out may stand in the template.
      const spec = fields[name]
      const isLeftOut = spec !== undefined && isOnWire(spec.kind)
      if (!isLeftOut && !struct.members.some((member) => member.name === name))
        throw this.broken(`${emit.event}.${name} is emitted, but is not on the wire`)
    }
    const conditions = filters.flatMap((filter, index) => {
      const applied = kernelCondition(
        filter,
        (name) =>
          filter.by === 'task'
            ? { as: 'value', text: taskNumberInC(filter.field).call }
            : memberExpression(name, emit, fields, struct.members),
        { ...this.secrets, passUnknown: this.input.summary === null },
        cSpelling,
      )
      if (applied === null || applied.passesUnknown) this.passedOn.add(index)
      if (applied !== null) this.judged.add(index)
      return applied === null ? [] : [applied]
    })
    return this.record(at, emit.values, conditions)
  }

  /** Fills a record, asks the filters about it, counts it and hands it over. A closed gate lets nothing through. */
  private record(
    at: number,
    values: ReadonlyMap<string, string>,
    conditions: readonly Condition[],
  ): string {
    const struct = this.structs[at]
    if (struct === undefined) throw this.broken(`no record ${at}`)
    const { layout, members, name } = struct
    this.seen.add(layout.code)
    const group = this.groupOf(layout.code)
    // Where events are aggregated, parts of them and types outside the grouping are not sent.
    if (this.input.summary !== null && group < 0) return '{ }'
    const specs = new Map([...layout.closed, ...layout.texts].map((each) => [each.name, each.spec]))
    const fills = members.map((member) => {
      const value = values.get(member.name)
      const spec = specs.get(member.name)
      if (value === undefined || spec === undefined)
        throw this.broken(`${layout.event}.${member.name} is not emitted`)
      return fillMember(member, value, spec, {
        where: this.input.where,
        expand: (text) => this.expand(text),
      })
    })
    const site = this.counts.filter(({ code }) => code === layout.code).length
    const place = this.counts.length + 1
    this.counts.push({ code: layout.code, site, at: place, struct: name })
    const passed = `${count(place)} ${this.handOver(group, place)}`
    const room = this.hasUprobes
      ? `struct ${name} er_room;
    struct ${name} *er = &er_room;
    __builtin_memset(er, 0, sizeof(*er));
    if (er_open != 0 && *er_open == 1) {`
      : `struct ${name} *er = er_scratch_${place}.lookup(&er_zero);
    if (er_open != 0 && *er_open == 1 && er != 0) {`
    return `{
    int er_zero = 0;
    u32 *er_open = er_gate.lookup(&er_zero);
    ${room}
      er->er_record = ${at};
${fills.map((fill) => `      ${fill}`).join('\n')}
      ${conditions.length === 0 ? passed : `if (${conditions.map(({ condition }) => condition).join(' && ')}) { ${passed} }${this.otherwise(group, conditions)}`}
    }
  }`
  }

  /** Known when all is rendered. */
  get unownedAt(): number {
    return this.counts.length + 1
  }

  /** Counts what is in no group because nobody knows whose it is. */
  private otherwise(group: number, conditions: readonly Condition[]): string {
    const unowned = group < 0 ? null : unownedCondition(conditions)
    if (unowned === null) return ''
    this.hasUnowned = true
    return ` else if (${unowned}) { ${count(unownedPlace)} }`
  }

  private groupOf(code: string): number {
    return this.groups.findIndex((group) => group.code === code)
  }

  /** What becomes of a record that passed the filters: it is added to its group, or sent. */
  private handOver(group: number, place: number): string {
    const found = this.groups[group]
    if (found !== undefined) return addToGroup(found, group, this.hasUprobes ? null : place)
    return this.input.transport === 'perf buffer'
      ? 'er_out.perf_submit(ctx, er, sizeof(*er));'
      : 'er_out.ringbuf_output(er, sizeof(*er), 0);'
  }
}

/** One more in this CPU's share of a count, in one step: a program may be preempted, or interrupted by another one. */
function count(at: number | string): string {
  return `{ int er_at = ${at}; u64 *er_count = er_counts.lookup(&er_at); if (er_count != 0) __sync_fetch_and_add(er_count, 1); }`
}

function tracepointHead(category: string, name: string): string {
  const full = `tracepoint__${category}__${name}`
  return `int ${full}(struct ${full} *ctx)`
}

type Directive = (run: Rendering, rest: string) => string

/** The first word, and all that follows it. */
function split(rest: string): readonly [string, string] {
  const [first = '', ...others] = rest.split(/\s+/)
  return [first, others.join(' ')]
}

function direction(run: Rendering, rest: string): string {
  if (rest !== 'ingress' && rest !== 'egress')
    throw run.broken(`'${rest}' is neither ingress nor egress`)
  return rest
}

const directives: Readonly<Record<string, Directive>> = {
  kprobe: (run, rest) => run.program('kprobe', ...split(rest)),
  kprobes: (run, rest) => run.kprobes(rest.split(',')),
  kretprobe(run, rest) {
    const [name, instances] = split(rest)
    if (!/^\d+$/.test(instances)) throw run.broken(`{{kretprobe ${rest}}} needs a number of calls`)
    return run.program('kretprobe', name, '', { instances: Number(instances) })
  },
  uprobe: (run, rest) => run.uprobe('uprobe', ...split(rest)),
  uretprobe: (run, rest) => run.uprobe('uretprobe', ...split(rest)),
  usdt: (run, rest) => run.usdt(...split(rest)),
  tracepoint(run, rest) {
    const [, category = '', name = ''] = /^([a-z0-9_]+):([a-z0-9_]+)$/.exec(rest) ?? []
    if (name === '') throw run.broken(`{{tracepoint ${rest}}} is no CATEGORY:NAME`)
    return tracepointHead(category, name)
  },
  exit: (_, rest) => `int ER_EXIT(${rest})(unsigned long long *ctx)`,
  rawtracepoint: (_, rest) => `int raw_tracepoint__${rest}(struct bpf_raw_tracepoint_args *ctx)`,
  xdp(run, rest) {
    if (!/^(?:native,)?generic$/.test(rest)) throw run.broken(`{{xdp ${rest}}} is no list of modes`)
    return run.onInterface('xdp', rest)
  },
  tcx: (run, rest) => run.onInterface('tcx', direction(run, rest)),
  tc: (run, rest) => run.onInterface('tc', direction(run, rest)),
  socket: (run) => run.onInterface('socket', ''),
  interface: (run, rest) => run.interface(...split(rest)),
  read: (run, rest) => run.read(rest),
  port: (run, rest) => `bpf_ntohs(${run.read(rest)})`,
  keys: (run) => run.keys(),
  param: (run, rest) => run.param(rest),
  child: (run) => run.pid('childPid'),
  own: (run) => run.pid('ownPid'),
  kept: (run, rest) => run.kept(rest),
  learn: (run, rest) => run.aboutOwners(learnOwner(...split(rest), (update) => run.kept(update))),
  open: (run, rest) => run.aboutOwners(openOwner(...split(rest), (update) => run.kept(update))),
  settle: (run, rest) => run.aboutOwners(settleOwner(...split(rest))),
  forget: (run, rest) => run.aboutOwners(forgetOwner(rest)),
  owner(run, rest) {
    const [variable, others] = split(rest)
    return run.aboutOwners(ownerOf(variable, ...split(others)))
  },
  task(run, rest) {
    const [number, others] = split(rest)
    return run.task(number, ...split(others))
  },
  symbol: (run, rest) => run.symbol(rest),
  offset: (run, rest) => run.offset(rest),
  part: (run, rest) => run.part(rest),
  emit: (run, rest) => run.emit(rest),
}
