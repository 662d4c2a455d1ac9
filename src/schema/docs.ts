import {
  isNullable,
  type FieldSpec,
  type Hook,
  type Need,
  type ProbeSpec,
  type VariantSpec,
} from './define.ts'
import type { Kind } from './kinds.ts'

/** A filter or option of the command line, for people. */
export interface FlagDoc {
  readonly flag: string
  readonly doc: string
}

const typeWords: Record<Kind, string> = {
  u8: 'integer',
  u16: 'integer',
  u32: 'integer',
  i32: 'integer',
  u64: 'decimal string',
  i64: 'decimal string',
  pointer: 'hexadecimal string',
  ktime: 'decimal string',
  duration: 'integer',
  address: 'IP address',
  device: 'MAJOR:MINOR',
  load: 'number with two decimals',
  enum: 'name',
  result: '{code, name}',
  text: 'text',
  texts: 'list of texts',
  path: 'path',
  stack: 'list of `function+offset`',
  time: 'RFC 3339 time',
  constant: 'name',
  family: 'integer',
  errno: 'errno name',
  container: 'container id',
  count: 'integer',
  buckets: 'list of {ge, lt, count}',
  output: 'text',
  entries: 'list of {key, value}, {key, buckets} or {key, count, average, total}',
}

/** Probes that are made of the words behind them. */
const made: Readonly<Record<string, string>> = {
  trace: 'trace ATTACH-POINT --help',
  funccount: 'funccount PATTERN --help',
  script: 'script FILE.bt --help',
}

/** The command that shows the fields of a probe. */
export function whereDescribed(probe: string): string {
  return `ebpf-run ${Object.hasOwn(made, probe) ? made[probe] : `describe ${probe}`}`
}

/** Unit of a field's value, null for none. */
export function unitOf(field: FieldSpec): string | null {
  return field.unit ?? (field.kind === 'duration' || field.kind === 'ktime' ? 'ns' : null)
}

/** The variants that leave a field null, with their reasons. */
export function whyNull(
  probe: ProbeSpec,
  name: string,
): readonly { readonly variant: string; readonly reason: string }[] {
  return probe.variants.flatMap((variant) => {
    const reason = variant.cannotTell[name]
    return reason === undefined ? [] : [{ variant: variant.name, reason }]
  })
}

/** What the limit of a kind in parts is of. */
const limitWords: Partial<Record<Kind, string>> = { texts: ' each', path: ' a name' }

/** What a field's values are: type, limits, and the names of an enum. */
export function typeText(field: FieldSpec): string {
  const { kind, bytes, names, namesFrom, namesText, flags } = field
  if (namesText !== undefined) return namesText
  if (kind === 'constant') return `always ${field.always}`
  if (namesFrom !== undefined) return 'name, as the running kernel spells it'
  if (flags !== undefined)
    return `${flags.filter((each) => each !== '').join(', ')}, joined by |, or NONE`
  if (names !== undefined && kind === 'enum') return `one of ${Object.values(names).join(', ')}`
  const limit = `${bytes} bytes${limitWords[kind] ?? ''}`
  return bytes === undefined ? typeWords[kind] : `${typeWords[kind]}, up to ${limit}`
}

/** `yes`, `no`, or the variants in which a field can be null. */
export function nullText(probe: ProbeSpec, name: string, field: FieldSpec): string {
  if (!isNullable(probe, name, field)) return 'no'
  const always = isNullable({ ...probe, variants: [] }, name, field)
  const variants = whyNull(probe, name).map(({ variant }) => variant)
  return always ? 'yes' : `in ${variants.join(', ')}`
}

/** What a variant needs of the host, in words. */
export function needText(need: Need): string {
  if ('tracepoint' in need) {
    const { tracepoint, fields = [], raw } = need
    return `${raw ? 'raw ' : ''}tracepoint ${tracepoint}${fields.length > 0 ? ` with ${fields.join(', ')}` : ''}`
  }
  if ('function' in need) return `${need.by} on ${need.function}`
  if ('uprobe' in need) return `uprobe on ${need.uprobe} of ${need.library}`
  if ('usdt' in need) return `the mark ${need.usdt} of ${need.library}${readsText(need.reads)}`
  if ('btf' in need) return `BTF of ${need.btf}`
  if ('symbol' in need) return `the kernel's symbol ${need.symbol}`
  if ('hook' in need) return hookTexts[need.hook]
  if ('headers' in need) return "the kernel's headers"
  if ('linux' in need) return `Linux ${need.linux}`
  return 'bcc' in need ? `bcc ${need.bcc} for Python` : `bpftrace ${need.bpftrace}`
}

const readsText = (reads: readonly number[] = []): string =>
  reads.length === 0 ? '' : ` with ${reads.map((index) => `arg${index}`).join(', ')}`

/** All that a variant needs, also for the probe's switches. */
function needsText({ needs, switches = {} }: VariantSpec): string {
  const more = Object.entries(switches).map(([name, each]) =>
    typeof each === 'string'
      ? `without --${name}: ${each}`
      : `with --${name} ${each.map(needText).join('; ')}`,
  )
  return [...needs.map(needText), ...more].join('; ')
}

const hookTexts: Readonly<Record<Hook, string>> = {
  xdp: 'XDP by BPF links (Linux 5.9)',
  tcx: 'tc programs by BPF links (Linux 6.6)',
  clsact: 'filters of tc (CONFIG_NET_CLS_BPF, CONFIG_NET_SCH_INGRESS)',
  'socket filter': 'BPF on packet sockets',
}

/** Fields that a variant cannot tell, those with one reason together. */
export function cannotTellTexts(variant: VariantSpec): readonly string[] {
  const fieldsByReason = new Map<string, readonly string[]>()
  for (const [field, reason] of Object.entries(variant.cannotTell)) {
    fieldsByReason.set(reason, [...(fieldsByReason.get(reason) ?? []), field])
  }
  return [...fieldsByReason].map(([reason, fields]) => `${fields.join(', ')}: ${reason}`)
}

/** What a variant does without where the host has not what it could use. */
export function lackTexts({ without = [], options = {} }: VariantSpec): readonly string[] {
  return without.map(({ options: names, says }) => {
    const wanted = names.flatMap((name) => {
      const option = options[name]
      return option === undefined || typeof option === 'boolean' ? [] : [needText(option)]
    })
    return `without ${wanted.join(' or ')}: ${says}`
  })
}

/** Markdown: a table of fields for each event type, then one of variants. Ends with a line feed. */
export function fieldsMarkdown(probe: ProbeSpec): string {
  const events = Object.entries(probe.events).flatMap(([name, event]) => [
    `### Event \`${name}\``,
    `${capital(event.doc)}.`,
    markdownTable(
      ['Field', 'Type', 'Unit', 'Null', 'Meaning'],
      Object.entries(event.fields).map(([field, spec]) => [
        `\`${field}\``,
        typeText(spec),
        unitOf(spec) ?? '',
        nullText(probe, field, spec),
        spec.doc,
      ]),
    ),
  ])
  const variants = markdownTable(
    ['Variant', 'Needs', 'Cannot tell', 'Misses', 'Cost'],
    probe.variants.map((variant) => [
      `\`${variant.name}\``,
      needsText(variant),
      cannotTellTexts(variant).join('; '),
      [variant.misses, ...lackTexts(variant)].join('; '),
      variant.cost,
    ]),
  )
  return `${[...events, '### Variants, the preferred first', variants].join('\n\n')}\n`
}

/** A table; its cells may hold any text. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const cell = (text: string) => text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')
  return [head, head.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map(cell).join(' | ')} |`)
    .join('\n')
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

/** A probe for the terminal: lines of at most `width` columns where words allow it, without colour; ends with a line feed. */
export function describeText(probe: ProbeSpec, width: number, filters: readonly FlagDoc[]): string {
  const flags = filters.map(({ flag, doc }) => [flag, doc] as const)
  const paragraphs = [
    wrap(`${probe.name}: ${probe.summary}`, width, ''),
    section('Example', wrap(probe.example, width, '  ')),
    ...Object.entries(probe.events).map(([name, event]) => {
      const rows = Object.entries(event.fields).map(
        ([field, spec]) => [field, fieldText(probe, field, spec)] as const,
      )
      return [...wrap(`Event ${name}: ${event.doc}`, width, ''), ...definitions(rows, width, '  ')]
    }),
    flags.length === 0 ? [] : section('Filters', definitions(flags, width, '  ')),
    ['Variants, the preferred first'],
    ...probe.variants.map((variant) => [
      `  ${variant.name}`,
      ...definitions(variantRows(variant), width, '    '),
    ]),
  ]
  return `${paragraphs
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
}

function fieldText(probe: ProbeSpec, name: string, field: FieldSpec): string {
  const nulls = nullText(probe, name, field)
  const nullable = { yes: ', or null', no: '' }[nulls] ?? `, null ${nulls}`
  const unit = unitOf(field)
  return `${field.doc} [${typeText(field)}${unit === null ? '' : `, ${unit}`}${nullable}]`
}

function variantRows(variant: VariantSpec): readonly (readonly [string, string])[] {
  const options = Object.values(variant.options ?? {}).flatMap((option) =>
    typeof option === 'boolean' ? [] : [needText(option)],
  )
  return [
    ['needs', needsText(variant)],
    ...(options.length === 0 ? [] : [['better with', options.join('; ')] as const]),
    ...cannotTellTexts(variant).map((text) => ['cannot tell', text] as const),
    ['misses', [variant.misses, ...lackTexts(variant)].join('; ')],
    ['costs', variant.cost],
  ]
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return [title, ...lines]
}

/** Terms in one column, their texts wrapped beside them; below them where the terminal is narrow. */
function definitions(
  rows: readonly (readonly [string, string])[],
  width: number,
  indent: string,
): readonly string[] {
  const gutter = indent.length + Math.max(...rows.map(([term]) => term.length)) + 2
  if (width - gutter < 24) {
    return rows.flatMap(([term, text]) => [indent + term, ...wrap(text, width, `${indent}  `)])
  }
  return rows.flatMap(([term, text]) => {
    const [first = '', ...rest] = wrap(text, width, ' '.repeat(gutter))
    return [(indent + term).padEnd(gutter) + first.slice(gutter), ...rest]
  })
}

/** Words on lines of at most `width` columns; a longer word stands alone. */
function wrap(text: string, width: number, indent: string): readonly string[] {
  const lines: string[] = []
  let line = indent
  for (const word of text.split(' ')) {
    const next = line === indent ? line + word : `${line} ${word}`
    if (next.length > width && line !== indent) {
      lines.push(line)
      line = indent + word
    } else line = next
  }
  return [...lines, line]
}
