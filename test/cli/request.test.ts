import fc from 'fast-check'
import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { commandNamed } from '../../src/commands/commands.ts'
import { findTarget } from '../../src/commands/find-target.ts'
import { helpOf, parseWords } from '../../src/commands/frame.ts'
import { readRunOptions } from '../../src/commands/library-options.ts'
import { optionsOf, runOptions } from '../../src/commands/options.ts'
import { readRequest } from '../../src/commands/request.ts'
import { watchLeftovers } from '../fakes/leftovers.ts'
import { runCli } from './run-cli.ts'

watchLeftovers()

const probe = await loadProbe('tcpconnect')

async function targetOf(words: readonly string[]) {
  const [name = '', ...rest] = words
  const command = commandNamed(name)
  if (command === null) throw new Error(`no command ${name}`)
  return findTarget(command, rest)
}

async function parse(...words: readonly string[]) {
  const { target, rest } = await targetOf(words)
  return parseWords(target, rest)
}

const request = async (...words: readonly string[]) =>
  readRequest(probe, await parse('tcpconnect', ...words))

const refusal = (code: string, message: RegExp) =>
  expect.objectContaining({ code, exitCode: 2, message: expect.stringMatching(message) })

const { target } = await targetOf(['tcpconnect'])

describe('words that yargs must not see into', () => {
  const word = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom(
      ...['"a"', "'a'", '0x10', '1e3', '-1', '--', '--no-x', '-', '', '=', '==', 'true', 'false'],
      ...['a.b', '__proto__', '{"a":1}', '[a]', 'a=b', '\n', ' ', '$0', '$(id)', 'NaN', '001'],
    ),
  )

  it('arrive as they were typed, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (values) => {
        const { texts } = parseWords(
          target,
          values.map((value) => `--comm=${value}`),
        )

        expect(texts['comm']).toEqual(values)
      }),
    )
  })

  it('arrive so as words of their own, unless they look like options', () => {
    fc.assert(
      fc.property(
        word.filter((each) => !/^-./.test(each)),
        (value) => {
          expect(parseWords(target, ['--comm', value, '-q'])).toMatchObject({
            texts: { comm: [value] },
            flags: { quiet: true },
          })
        },
      ),
    )
  })

  it('arrive so after --', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 4 }), (args) => {
        expect(parseWords(target, ['-q', '--', 'true', ...args]).command).toEqual(['true', ...args])
      }),
    )
  })

  it.each(['--toString', '--constructor=1', '--__proto__', '--hasOwnProperty', '-$', '--no-utc'])(
    'are an error of ours when they are no option: %s',
    async (option) => {
      await expect(parse('tcpconnect', option)).rejects.toEqual(
        refusal('UNKNOWN_OPTION', /there is no option/),
      )
    },
  )

  it('may be short options in one word', async () => {
    expect(await parse('tcpconnect', '-qvojson', '-n=3')).toMatchObject({
      texts: { output: ['json'], count: ['3'] },
      flags: { quiet: true, verbose: true },
    })
  })

  it('are no value where an option takes none', async () => {
    await expect(parse('tcpconnect', '--utc=yes')).rejects.toEqual(
      refusal('USAGE', /--utc takes no value/),
    )
  })
})

describe('a command to trace', () => {
  it('is taken with its arguments as they are', async () => {
    const read = await request('--as', 'nobody', '--all', '-q', '--', 'curl', '-o', '--', '-h', '')

    expect(read).toMatchObject({
      command: ['curl', '-o', '--', '-h', ''],
      as: 'nobody',
      all: true,
    })
  })

  it('is not there without --', async () => {
    expect(await request()).toMatchObject({ command: null, as: null, all: false })
  })

  it.each([
    [['--as', 'nobody'], 'CONFLICT', /--as goes with a command/],
    [['--all'], 'CONFLICT', /--all goes with a command/],
    [['--'], 'USAGE', /needs a command/],
    [['--', ''], 'USAGE', /needs a command/],
  ] as const)('is missed by %j', async (words, code, message) => {
    await expect(request(...words)).rejects.toEqual(refusal(code, message))
  })

  it.each(['plan', 'print'])('is taken by %s', async (name) => {
    expect(await parse(name, 'tcpconnect', '--', 'true')).toMatchObject({ command: ['true'] })
  })

  it.each(['describe tcpconnect', 'schema tcpconnect', 'list', 'doctor', 'completion'])(
    'is refused by %s',
    async (line) => {
      await expect(parse(...line.split(' '), '--', 'true')).rejects.toEqual(
        refusal('CONFLICT', /starts no command/),
      )
    },
  )

  it('does not make its own words those of ebpf-run', async () => {
    const { stderr } = await runCli(['tcpconnect', '--rport', 'x', '--', 'jq', '-o', 'json'])

    expect(stderr).toMatch(/^ebpf-run: /)
  })
})

describe('--backend', () => {
  it.each(['bpftrace', 'bcc'])('may be %s', async (backend) => {
    expect((await request('--backend', backend)).plan).toMatchObject({ backend })
  })

  it('may be nothing else, and is null when it is not given', async () => {
    await expect(request('--backend', 'perf')).rejects.toEqual(
      refusal('BAD_VALUE', /one of bpftrace, bcc/),
    )
    expect((await request()).plan).toMatchObject({ backend: null })
  })
})

describe('--resolve', () => {
  it('is for tables', async () => {
    expect(await request('--resolve')).toMatchObject({ resolve: true, output: 'table' })
    expect(await request()).toMatchObject({ resolve: false })
  })

  it.each(['ndjson', 'json', 'csv'])('is refused with -o %s', async (output) => {
    await expect(request('--resolve', '-o', output)).rejects.toEqual(
      refusal('CONFLICT', /--resolve goes with -o table/),
    )
  })
})

describe('replay', () => {
  const folder = new URL('../../fixtures/recordings/', import.meta.url)
  const file = readdirSync(folder).find((name) => /^tcpconnect.*\.ebpfrun$/.test(name))
  const path = new URL(file ?? 'none', folder).pathname
  const live = optionsOf(probe.spec).filter((option) => option.live)

  it('knows which options only a live run has', () => {
    expect(live.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        ...['duration', 'variant', 'backend', 'buffer', 'drain', 'attach-timeout', 'record'],
        ...['lifecycle', 'max-lost', 'summary-json', 'as', 'all'],
      ]),
    )
  })

  it.each(live.map(({ name, boolean: isBoolean }) => [name, isBoolean === true] as const))(
    'refuses --%s',
    async (name, isBoolean) => {
      const words = isBoolean ? [`--${name}`] : [`--${name}`, '1']
      const { code, stdout, stderr } = await runCli(['replay', path, '-o', 'ndjson', ...words])

      expect(stderr).toContain(`--${name}: only with a live run, not with replay [CONFLICT]`)
      expect(stdout).toBe('')
      expect(code).toBe(2)
    },
  )

  it('starts no command', async () => {
    await expect(parse('replay', path, '--', 'true')).rejects.toEqual(
      refusal('CONFLICT', /replay starts no command/),
    )
  })

  it('takes what is about its output', async () => {
    const args = ['--no-header', '--utc', '--resolve', '-n', '2', '-q']
    const { code, stdout, stderr } = await runCli(['replay', path, ...args])

    expect(stderr).toBe('')
    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
    expect(stdout).toMatch(/^\d\d:\d\d:/)
    expect(code).toBe(0)
  })

  it('shows the events of a probe that counts them in the kernel unless asked', async () => {
    const counted = new URL('biolatency-tracepoint-debian13.ebpfrun', folder).pathname
    const { code, stdout } = await runCli(['replay', counted, '-o', 'ndjson', '-n', '2', '-q'])

    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
    expect(code).toBe(0)
  })

  it('shows in its help what it takes, and nothing else', async () => {
    const ofFile = await targetOf(['replay', path])
    const text = await helpOf(ofFile.target, 80)

    expect(text).toContain('--rport PORT')
    for (const { name } of live)
      expect(text).not.toMatch(new RegExp(`^ +(?:-., )?--${name}\\b`, 'm'))
  })
})

describe('help', () => {
  it.each([
    ['tcpconnect', 80],
    ['tcpconnect', 50],
    ['execsnoop', 80],
    ['doctor', 80],
  ])('of %s keeps to %i columns', async (name, columns) => {
    const named = await targetOf([name])
    const text = await helpOf(named.target, columns)

    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(columns)
  })

  it('shows filters, run options and fields, each under its heading', async () => {
    const text = await helpOf(target, 80)
    const [, filters = '', options = '', fields = ''] =
      /^Filters[^]*?\n([^]*)^Run options:\n([^]*)^Fields of connect[^]*?\n([^]*)/m.exec(text) ?? []

    expect(filters).toMatch(/^ +--rport PORT +remote ports, ranges$/m)
    expect(filters).toMatch(/^ +--failed /m)
    expect(options).toMatch(/^ +-o, --output FORMAT +output format: table, .* \(table\)$/m)
    for (const { name } of runOptions) expect(options).toContain(`--${name}`)
    expect(fields).toMatch(/^ +raddr +remote address$/m)
  })

  it('says nothing of what is not ready', async () => {
    const text = await helpOf(target, 80)

    for (const { name, hidden } of target.options)
      if (hidden) expect(text).not.toContain(`--${name} `)
  })
})

describe('a field that waits for a switch', () => {
  const switchesOf = async (...words: readonly string[]) =>
    readRequest(await loadProbe('runqlat'), await parse('runqlat', ...words)).plan.switches

  it('is asked for by its name: to group by, to filter by, to show', async () => {
    expect(await switchesOf('--by', 'comm,pidns')).toEqual(['pidnss'])
    expect(await switchesOf('--pidns', '4026531836')).toEqual(['pidnss'])
    expect(await switchesOf('--events', '--fields', 'tid,pidns')).toEqual(['pidnss'])
    expect(await switchesOf('--pidnss')).toEqual(['pidnss'])
  })

  it('is not there otherwise', async () => {
    expect(await switchesOf('--by', 'comm', '--pid', '7')).toEqual([])
  })

  it('is asked for by the library too', async () => {
    const { spec } = await loadProbe('runqlat')

    expect(readRunOptions(spec, { pidns: 4_026_531_836 }).plan.switches).toEqual(['pidnss'])
    expect(readRunOptions(spec, { summary: { by: 'pidns' } }).plan.switches).toEqual(['pidnss'])
    expect(readRunOptions(spec, { pid: 7 }).plan.switches).toEqual([])
  })
})
