import { includesOf } from '../../src/catalog/includes.ts'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { builtin } from '../../probes/index.ts'
import { commandNamed } from '../../src/commands/commands.ts'
import { findTarget } from '../../src/commands/find-target.ts'
import { parseWords } from '../../src/commands/frame.ts'
import { optionsOf } from '../../src/commands/options.ts'
import { readRequest } from '../../src/commands/request.ts'
import type { ProbeSpec } from '../../src/schema/define.ts'
import { fieldsMarkdown } from '../../src/schema/docs.ts'

const root = new URL('../../', import.meta.url)
const filesOf = (folder: string): readonly string[] => readdirSync(new URL(folder, root)).sort()
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

/** The order of a man page of bcc (CONTRIBUTING-SCRIPTS.md there). */
const headings = [
  'NAME',
  'SYNOPSIS',
  'DESCRIPTION',
  'REQUIREMENTS',
  'OPTIONS',
  'EXAMPLES',
  'FIELDS',
  'OVERHEAD',
  'SOURCE',
  'OS',
  'STABILITY',
  'SEE ALSO',
]

/** What may stand in a probe's folder beside the templates that its variants name. */
const known = new Set(['probe.ts', 'README.md', 'workload.py', 'fallback.bcc.c'])

const folders = readdirSync(new URL('probes/', root), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort()
const specs: readonly (readonly [string, ProbeSpec])[] = await Promise.all(
  Object.entries(builtin).map(async ([name, { load }]) => [name, await load()] as const),
)

test('the registry holds every folder of probes/, in alphabetical order', () => {
  expect(Object.keys(builtin)).toEqual(folders)
})

test('no two probes go by the same name', () => {
  const names = specs.flatMap(([name, spec]) => [name, ...(spec.aliases ?? [])])

  expect(names).toEqual([...new Set(names)])
})

describe.each(specs)('probe %s', (name, spec) => {
  const page = read(`probes/${name}/README.md`)
  const section = (title: string): string =>
    page.split(/^## /m).find((each) => each.startsWith(`${title}\n`)) ?? ''

  test('is called like its folder, in lower case without underscores', () => {
    expect(spec.name).toBe(name)
    expect(name).toMatch(/^[a-z][a-z0-9]+$/)
  })

  test('has a folder with its definition, page, workload, the templates of its variants, and nothing unknown', () => {
    const own = spec.variants.map((variant) => variant.template)
    const included = own.flatMap((file) => allIncludes(name, file))
    const templates = [...own, ...included]
    const files = filesOf(`probes/${name}/`)

    expect(files).toEqual(
      expect.arrayContaining([
        'probe.ts',
        'README.md',
        'workload.py',
        ...templates.filter((file) => !file.startsWith('../')),
      ]),
    )
    expect(files.filter((file) => !known.has(file) && !templates.includes(file))).toEqual([])
  })

  test('has a page with the headings of a man page of bcc, in that order', () => {
    expect([...page.matchAll(/^## (.+)$/gm)].map((match) => match[1])).toEqual(headings)
  })

  test('says under NAME what `list` says', () => {
    expect(section('NAME')).toContain(`\n${name} - ${spec.summary}\n`)
  })

  test('lists every option of its own under OPTIONS', () => {
    const shared = new Set(
      optionsOf({ ...spec, events: {}, params: {}, switches: {} }).map((each) => each.name),
    )
    const missing = optionsOf(spec)
      .filter((option) => !shared.has(option.name))
      .filter((option) => !section('OPTIONS').includes(`\`--${option.name}`))

    expect(missing).toEqual([])
  })

  test('has the tables of its fields and variants under FIELDS, as they are now', () => {
    expect(section('FIELDS')).toContain(fieldsMarkdown(spec).trimEnd())
  })

  test('shows commands under EXAMPLES that the command line takes', async () => {
    const commands = [spec.example, ...commandsIn(section('EXAMPLES'))]

    for (const command of commands) {
      const [first, ...argv] = wordsOf(command)
      expect(first).toBe('ebpf-run')
      const named = commandNamed(argv[0] ?? '')
      if (named?.name !== name) continue
      const { target, rest } = await findTarget(named, argv.slice(1))
      expect(() => readRequest({ spec, templates: {} }, parseWords(target, rest))).not.toThrow()
    }
    expect(commands.length).toBeGreaterThan(1)
  })

  test('refers to pages that exist', () => {
    const targets = [...page.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? '')

    for (const target of targets) expect(() => read(`probes/${name}/${target}`)).not.toThrow()
  })
})

/** What a template includes, and what that includes: as paths from the probe's folder. */
function allIncludes(probe: string, file: string): readonly string[] {
  const above = file.slice(0, file.lastIndexOf('/') + 1)
  const names = includesOf(read(`probes/${probe}/${file}`), file).map((name) => above + name)
  return names.flatMap((name) => [name, ...allIncludes(probe, name)])
}

/** The commands of a section's indented blocks, up to a pipe. */
function commandsIn(text: string): readonly string[] {
  return [...text.matchAll(/^ {4}(ebpf-run [^|\n]+)/gm)].map((match) => match[1] ?? '')
}

/** Splits a command like a shell does, as far as our examples need it. */
function wordsOf(command: string): readonly string[] {
  return [...command.trim().matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '')
}
