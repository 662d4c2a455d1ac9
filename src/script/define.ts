import { EbpfRunError } from '../errors.ts'
import { common } from '../schema/common.ts'
import type { EventSpec, FieldSpec, Fields, MapShape, ProbeSpec } from '../schema/define.ts'
import { withArguments } from './arguments.ts'
import { shapesOf, unknownShape } from './maps.ts'
import { codeOf, docOf, fieldOf, printable } from './fields.ts'
import { isSolid, scriptError, type Token, tokenize } from './lexer.ts'
import { type Line, linesOf } from './lines.ts'
import { cleaned, fieldName } from './names.ts'
import { isSign, type Section, sectionsOf } from './sections.ts'
import { argumentsOf, nextSolid, runsIn } from './statements.ts'
import { expressionText, mapText, templateText } from './text.ts'

export interface ScriptRequest {
  /** The file's own name, for texts. */
  readonly name: string
  readonly source: string
  readonly args: readonly string[]
  /** Event to names for its values, in their order. */
  readonly fields: ReadonlyMap<string, readonly string[]>
  /** system(), signal() and override() are let through. */
  readonly unsafe: boolean
}

/** A definition made of a script, its template, and what could not be typed. */
export interface MadeScript {
  readonly probe: { readonly spec: ProbeSpec; readonly templates: Readonly<Record<string, string>> }
  readonly untyped: readonly string[]
}

/** Event types with values: a definition has at most 32, and `text` and `map` are two of them. */
const mostEvents = 30
/** The probe that a script is. Throws BAD_SCRIPT, BAD_VALUE, UNSAFE_SCRIPT. */
export function defineScript(request: ScriptRequest): MadeScript {
  const raw = tokenize(request.source)
  const tokens = withArguments(raw, sectionsOf(raw), request.args)
  const sections = sectionsOf(tokens)
  if (!request.unsafe) refuseDangerous(tokens, sections)
  if (!sections.some(({ is }) => is === 'attach'))
    throw scriptError(
      1,
      'no probe in it: ATTACH-POINT { ... }',
      'ebpf-run script FILE.bt takes a script of bpftrace',
    )
  const work = new Work(tokens, request)
  const template = work.template(sections)
  work.addEvent()
  const { events } = work
  work.checkNames()
  const spec: ProbeSpec = {
    name: 'script',
    summary: `${printable(request.name)}: what a script of bpftrace prints, as events`,
    example: `ebpf-run script ${printable(request.name)}`,
    owner: 'task',
    script: request.unsafe ? { unsafe: true } : {},
    events,
    variants: [
      {
        name: 'bpftrace',
        backend: 'bpftrace',
        template: 'script.bt',
        needs: [{ bpftrace: '>=0.11.0' }],
        options: { special: { bpftrace: '>=0.16.0' } },
        cannotTell: {},
        misses:
          'what happens while another tracing program runs on that CPU, but for fentry and raw tracepoints',
        cost: "the script's own",
      },
    ],
  }
  return { probe: { spec, templates: { bpftrace: template } }, untyped: work.untyped }
}

const dangerous: ReadonlySet<string> = new Set(['system', 'signal', 'override'])

/** bpftrace refuses them as well, unless it is started with --unsafe. */
function refuseDangerous(tokens: readonly Token[], sections: readonly Section[]): void {
  for (const { is, open, close } of sections) {
    if (is === 'other') continue
    for (let at = open; at < close; at += 1) {
      const token = tokens[at]
      if (token?.kind !== 'word' || !dangerous.has(token.text)) continue
      if (!isSign(tokens[nextSolid(tokens, at + 1)], '(')) continue
      throw new EbpfRunError({
        code: 'UNSAFE_SCRIPT',
        message: `line ${token.line}: ${token.text}() acts on the machine`,
        remedy: 'read the script, then add --unsafe',
      })
    }
  }
}

/** A statement, or several, in the place of others. */
interface Replacement {
  readonly from: number
  readonly to: number
  readonly text: string
}

/** The making of one definition; lives only inside `defineScript`. */
class Work {
  readonly events: Record<string, EventSpec> = {}
  readonly untyped: string[] = []
  private readonly texts: string[] = []
  private readonly maps: string[] = []
  private readonly shapes: ReadonlyMap<string, MapShape>
  private readonly named = new Set<string>()
  /** Of each field's name. */
  private readonly kinds = new Map<string, FieldSpec['kind']>([
    ['cpu', 'u32'],
    ['text', 'enum'],
    ['map', 'enum'],
    ['entries', 'entries'],
    ['output', 'output'],
  ])
  private readonly tokens: readonly Token[]
  private readonly request: ScriptRequest

  constructor(tokens: readonly Token[], request: ScriptRequest) {
    this.tokens = tokens
    this.request = request
    this.shapes = shapesOf(tokens)
  }

  template(sections: readonly Section[]): string {
    const { tokens } = this
    const last = sections.findLast((section) => isSpecial(section, 'end') && !section.hasPredicate)
    const bodies = new Map(
      sections
        .filter(({ is }) => is !== 'other')
        .map((section) => [section, this.body(section)] as const),
    )
    const ends = sections.filter((section) => isSpecial(section, 'end') && !section.hasPredicate)
    const dumps = this.finalDumps(sections)
    const endBody = [...ends.map((section) => bodies.get(section) ?? ''), dumps].join('\n')
    const parts: string[] = []
    let at = 0
    for (const section of sections) {
      parts.push(templateText(tokens.slice(at, section.from)))
      at = section.close + 1
      const whole = templateText(tokens.slice(section.from, section.open))
      const head = whole.trimStart()
      // A line of the preprocessor may stand in front: its end stays, whatever becomes of the section.
      parts.push(whole.slice(0, whole.length - head.length))
      const body = bodies.get(section)
      const others = othersOf(tokens, section)
      const besides = others === '' ? '' : `\n${others} {${body} }`
      if (body === undefined) parts.push(`${head}${templateText(tokens.slice(section.open, at))}`)
      else if (ends.includes(section))
        parts.push(
          `{{when special}}${head}{${body}${section === last ? `\n${dumps}` : ''} }{{else}}${besides}{{end}}`,
        )
      else if (isSpecial(section, 'begin') && !section.hasPredicate)
        parts.push(
          `{{when special}}${head}{{else}}interval:ms:1 /{{map 0begun}} == 0/ {{end}}{ {{when special}}{{else}}{{map 0begun}} = 1;{{end}}${body} }{{when special}}{{else}}${besides}{{end}}`,
        )
      else parts.push(`${head}{${body} }`)
    }
    parts.push(templateText(tokens.slice(at)))
    if (last === undefined && dumps !== '') parts.push(`\n{{when special}}END {\n${dumps} }{{end}}`)
    if (endBody.trim() !== '')
      parts.push(`\n{{when special}}{{else}}{{when ending}}\n${endBody}\n{{end}}{{end}}`)
    return parts.join('').replaceAll('{{exits}}', () => `{{when special}}{{else}}${endBody}{{end}}`)
  }

  /** A definition has an event, also that of a script that says nothing. */
  addEvent(): void {
    if (Object.keys(this.events).length === 0) this.addText()
  }

  /** Names that were given and that no event took. Throws BAD_VALUE. */
  checkNames(): void {
    for (const event of this.request.fields.keys()) {
      if (this.named.has(event)) continue
      throw new EbpfRunError({
        code: 'BAD_VALUE',
        message: `--fields ${event}:…: the script has no event of that name with values`,
        expected: Object.keys(this.events).join(', '),
        found: event,
      })
    }
  }

  private body(section: Section): string {
    const { tokens } = this
    const isEnd = isSpecial(section, 'end')
    // A macro sees no maps but those it is given, so nothing can be counted in it.
    const replacements =
      section.is === 'macro'
        ? []
        : [
            ...runsIn(tokens, section.open, section.close).flatMap((run) =>
              linesOf(run).flatMap((line) => this.replaced(line, section, isEnd)),
            ),
            ...(isEnd ? [] : this.exits(section)),
          ].sort((a, b) => a.from - b.from)
    const parts: string[] = []
    let at = section.open + 1
    for (const { from, to, text } of replacements) {
      parts.push(this.rest(at, from), text, this.lineEnds(from, to))
      at = to + 1
    }
    parts.push(this.rest(at, section.close))
    const text = parts.join('')
    return text.startsWith('{') ? ` ${text}` : text
  }

  /** As many line ends as there were, so that bpftrace's errors name the script's own lines. */
  private lineEnds(from: number, to: number): string {
    const text = this.tokens.slice(from, to + 1).map((token) => token.text)
    return '\n'.repeat(text.join('').split('\n').length - 1)
  }

  /** What stays as it is; a printf in it cannot be typed. */
  private rest(from: number, to: number): string {
    const tokens = this.tokens.slice(from, to)
    for (const token of tokens)
      if (token.kind === 'word' && /^(?:printf|errorf|join|cat|time)$/.test(token.text))
        this.untyped.push(`line ${token.line}: ${token.text}`)
    return templateText(tokens)
  }

  /** An end that the script itself makes: the counts must be there, and bpftrace without END prints no maps of ours. */
  private exits({ open, close }: Section): readonly Replacement[] {
    const found: Replacement[] = []
    for (let at = open + 1; at < close; at += 1) {
      if (this.tokens[at]?.kind !== 'word' || this.tokens[at]?.text !== 'exit') continue
      const before = this.tokens.slice(open, at).findLast(isSolid)
      const isStatement = ['{', '}', ';'].some((sign) => isSign(before, sign))
      if (isStatement) found.push({ from: at, to: at, text: '{{exits}}{{counted}} exit' })
    }
    return found
  }

  private replaced(line: Line, section: Section, isEnd: boolean): readonly Replacement[] {
    const text = this.emits(line, section, isEnd)
    return text === null ? [] : [{ from: line.from, to: line.to, text }]
  }

  /** Throws BAD_VALUE. */
  private requireKind(field: string, kind: FieldSpec['kind'], event: string): void {
    const before = this.kinds.get(field)
    if (before === undefined || before === kind) return
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `--fields ${event}:…: '${field}' is ${before} in another event, and would be ${kind} here`,
      found: field,
      remedy: 'give it another name',
    })
  }

  private emits(line: Line, section: Section, isEnd: boolean): string | null {
    const { late, values } = line
    const hasBlocks = [...values.map(({ expression }) => expression), ...(late?.args ?? [])].some(
      (tokens) => tokens.some((token) => isSign(token, '{')),
    )
    if (hasBlocks) return null
    if (late === null && values.length === 0) return this.textEmit(line.text, isEnd)
    if (late?.call === 'print') {
      const [shown] = late.args
      const solid = (shown ?? []).filter(isSolid)
      const [only] = solid
      const before = line.text === '' ? '' : this.textEmit(line.text, isEnd)
      const map = solid.length === 1 && only?.kind === 'map' ? only.text : null
      const call = `print(${late.args.map(expressionText).join(', ')})`
      const shows =
        map === null
          ? this.outputEmit(line, section, call, 'print', isEnd)
          : this.mapEmit(map, call, isEnd)
      return shows === null ? null : `${before ?? ''}${shows}`
    }
    const call = late === null ? null : `${late.call}(${late.args.map(expressionText).join(', ')})`
    return this.outputEmit(line, section, call, late?.call ?? null, isEnd)
  }

  /** An event with the values of printfs, and the text of what is late. */
  private outputEmit(
    line: Line,
    section: Section,
    call: string | null,
    late: string | null,
    isEnd: boolean,
  ): string | null {
    const name = this.free(line.values.length === 0 && late !== null ? late : eventName(section))
    const count = Object.keys(this.events).filter(
      (each) => each !== 'text' && each !== 'map',
    ).length
    if (count >= mostEvents) return null
    const used = new Set<string>(call === null ? [] : ['cpu'])
    const given = this.request.fields.get(name)
    if (given !== undefined) this.named.add(name)
    if (given !== undefined && given.length > line.values.length)
      throw new EbpfRunError({
        code: 'BAD_VALUE',
        message: `--fields ${name}:…: more names than the event has values`,
        expected: `at most ${line.values.length}`,
        found: String(given.length),
      })
    if (given !== undefined && new Set(given).size < given.length)
      throw new EbpfRunError({
        code: 'BAD_VALUE',
        message: `--fields ${name}:…: two values of one name`,
        found: given.join(','),
      })
    const fields = line.values.map((value, index) => {
      const spec = fieldOf(value)
      const asked = given?.[index]
      if (asked !== undefined) this.requireKind(asked, spec.kind, name)
      // One name is of one kind in all events: columns and filters rest on that.
      const others = [...this.kinds].flatMap(([each, kind]) => (kind === spec.kind ? [] : [each]))
      const field = asked ?? fieldName(value.expression, new Set([...used, ...others]), index)
      used.add(field)
      this.kinds.set(field, spec.kind)
      return { name: field, spec, code: codeOf(value) }
    })
    const lateName = call === null ? null : this.lateField(line, used)
    const spec: Fields = {
      ...always,
      ...(call === null ? {} : { cpu: common.cpu }),
      ...Object.fromEntries(fields.map((field) => [field.name, field.spec])),
      ...(lateName === null
        ? {}
        : {
            [lateName]: {
              kind: 'output',
              nullable: true,
              doc: `what ${late}() printed, without its last line end`,
            },
          }),
    }
    this.events[name] = {
      doc: docOf(line),
      fields: spec,
      table: [
        'time',
        ...fields.map((field) => field.name),
        ...(lateName === null ? [] : [lateName]),
      ].slice(0, 9),
    }
    return emit(name, [
      'ktime_ns = nsecs',
      ...(call === null ? [] : ['cpu = cpu']),
      ...fields.map((field) => `${field.name} = ${field.code}`),
      ...(call === null ? [] : [`around ${call}`]),
      ...(isEnd ? ['always'] : []),
    ])
  }

  private mapEmit(map: string, call: string, isEnd: boolean): string | null {
    const number = this.numberOf(this.maps, map)
    this.events['map'] = {
      doc: 'a map of the script, all of it at once',
      fields: {
        ...always,
        cpu: common.cpu,
        map: { kind: 'enum', names: namesOf(this.maps), doc: 'its name' },
        entries: {
          kind: 'entries',
          nullable: true,
          maps: Object.fromEntries(
            this.maps.map((name) => [name, this.shapes.get(name.slice(1)) ?? unknownShape]),
          ),
          doc: 'what it holds, in the order in which bpftrace prints it',
        },
      },
      table: ['time', 'map', 'entries'],
    }
    return emit('map', [
      'ktime_ns = nsecs',
      'cpu = cpu',
      `map = ${number}`,
      `around ${call}`,
      ...(isEnd ? ['always'] : []),
    ])
  }

  private textEmit(text: string, isEnd: boolean): string {
    const number = this.numberOf(this.texts, text)
    this.addText()
    return emit('text', ['ktime_ns = nsecs', `text = ${number}`, ...(isEnd ? ['always'] : [])])
  }

  private addText(): void {
    this.events['text'] = {
      doc: 'a text without values',
      fields: {
        ...always,
        text: { kind: 'enum', names: namesOf(this.texts), width: 40, doc: 'what the script says' },
      },
      table: ['time', 'text'],
    }
  }

  /** What bpftrace prints by itself at the end: every map but those that the script's END clears. */
  private finalDumps(sections: readonly Section[]): string {
    const inCode = sections.filter(({ is }) => is === 'attach')
    const names = new Set(
      inCode.flatMap(({ from, close }) =>
        this.tokens.slice(from, close).flatMap(({ kind, text }) => (kind === 'map' ? [text] : [])),
      ),
    )
    for (const section of sections) {
      if (!isSpecial(section, 'end')) continue
      for (let at = section.open; at < section.close; at += 1) {
        if (this.tokens[at]?.text !== 'clear' || this.tokens[at]?.kind !== 'word') continue
        const open = nextSolid(this.tokens, at + 1)
        if (!isSign(this.tokens[open], '(')) continue
        const [map] = argumentsOf(this.tokens, open, nextClosing(this.tokens, open))
        names.delete(map?.[0]?.text ?? '')
      }
    }
    return [...names]
      .sort()
      .map((name) => `${this.mapEmit(name, `print(${mapText(name)})`, true)}\n`)
      .join('')
  }

  /** join(args->argv) is argv; of all else it is the output. */
  private lateField({ late }: Line, used: ReadonlySet<string>): string {
    const [first] = late?.args ?? []
    const others = [...this.kinds].flatMap(([each, kind]) => (kind === 'output' ? [] : [each]))
    const taken = new Set([...used, ...others])
    const name =
      late?.call === 'join' && first !== undefined
        ? fieldName(first, taken, 0)
        : used.has('output')
          ? 'output_2'
          : 'output'
    this.kinds.set(name, 'output')
    return name
  }

  private numberOf(list: string[], text: string): number {
    if (!list.includes(text)) list.push(text)
    return list.indexOf(text) + 1
  }

  private free(name: string): string {
    const isTaken = (each: string): boolean =>
      each in this.events || each === 'map' || each === 'text'
    if (!isTaken(name)) return name
    for (let number = 2; ; number += 1)
      if (!isTaken(`${name}_${number}`)) return `${name}_${number}`
  }
}

function nextClosing(tokens: readonly Token[], open: number): number {
  const end = tokens.findIndex((token, at) => at > open && isSign(token, ')'))
  return end === -1 ? tokens.length : end
}

const always: Fields = { time: common.time, ktime_ns: common.ktime_ns }

function isSpecial({ is, name }: Section, which: 'begin' | 'end'): boolean {
  return is === 'attach' && name.toLowerCase() === which
}

/** The attach points of a list behind its first one; empty where it stands alone. */
function othersOf(tokens: readonly Token[], { from, open }: Section): string {
  const comma = tokens.slice(from, open).findIndex((token) => isSign(token, ','))
  return comma === -1 ? '' : templateText(tokens.slice(from + comma + 1, open)).trim()
}

function emit(event: string, lines: readonly string[]): string {
  // A brace of the script's may follow.
  return `{{emit ${event}\n${lines.map((line) => `  ${line}\n`).join('')}}} `
}

function namesOf(list: readonly string[]): Readonly<Record<number, string>> {
  return Object.fromEntries(list.map((text, index) => [index + 1, text]))
}

/** `kprobe:tcp_connect` makes events of the name tcp_connect, `interval:s:1` interval. */
function eventName({ name }: Section): string {
  const [type = '', ...rest] = name.split(':')
  const isTimed = /^(?:interval|profile|i|p)$/.test(type)
  const last = isTimed || rest.length === 0 ? type : (rest.at(-1) ?? type)
  const word = cleaned(/[a-z]/i.test(last) ? last : type)
  return /^(?:value_.*|event|escaped|cut)$/.test(word) ? 'probed' : word
}
