import { loadProbe } from '../catalog/load.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { attachPointOptions, type CommandSpec, traceOptions } from './commands.ts'
import { only } from './only.ts'
import { optionsOf, runOptions } from './options.ts'
import type { Target } from './target.ts'

/** The target of a command line and the words that are left to read. Throws USAGE, UNKNOWN_PROBE, BAD_RECORDING. */
export async function findTarget(
  spec: CommandSpec,
  words: readonly string[],
): Promise<{ target: Target; rest: readonly string[] }> {
  const { name, takes } = spec
  if (takes === null) return { target: await plainTarget(spec), rest: words }
  const [word, ...rest] = words
  if (isHelp(word))
    return { target: { ...baseOf(spec), options: generalOptions(spec), run: nothing }, rest: words }
  if (word === undefined || word.startsWith('-'))
    throw new EbpfRunError({
      code: 'USAGE',
      ...missingWord(name, takes),
    })
  if (takes === 'ATTACH-POINT')
    return spec.name === 'funccount' ? callsTarget(spec, words) : traceTarget(spec, words)
  if (takes === 'FILE') return { target: await fileTarget(spec, word), rest }
  if (name === 'plan' || name === 'print' || name === 'schema') {
    if (word === 'trace') return traceTarget(spec, rest)
    if (word === 'funccount') return callsTarget(spec, rest)
  }
  // What has a colon is an attach point, all else a probe.
  const target =
    name === 'describe' && word.includes(':')
      ? await attachPointTarget(spec, word)
      : await aboutProbe(spec, word)
  return { target, rest }
}

function missingWord(name: string, takes: NonNullable<CommandSpec['takes']>) {
  const needs = {
    FILE: ['a recording', `ebpf-run ${name} FILE; --record FILE makes one`],
    PROBE: ['a probe', `ebpf-run ${name} tcpconnect; ebpf-run list shows all`],
    'ATTACH-POINT': [
      'an attach point',
      `ebpf-run ${name} syscall:openat; ebpf-run list --attach-points 'kprobe:tcp_*' finds others`,
    ],
  } as const
  const [what, remedy] = needs[takes]
  return { message: `${name} needs ${what}`, remedy }
}

const isHelp = (word: string | undefined): boolean => word === '-h' || word === '--help'

/** Without its probe a command shows the options of every probe. */
function generalOptions({ name, options, takes }: CommandSpec) {
  if (options !== 'probe') return options
  if (takes === 'ATTACH-POINT')
    return name === 'trace' ? [...traceOptions, ...runOptions] : runOptions
  return takes === 'FILE' ? runOptions.filter((option) => !option.live) : runOptions
}

const nothing = async () => exitCodes.ok

function baseOf(spec: CommandSpec) {
  const { name, usage, doc, takesCommand } = spec
  return { name, title: name, usage, doc, takesCommand, epilogue: '', isProbe: false } as const
}

/** A command that is complete, or a probe. */
async function plainTarget(spec: CommandSpec): Promise<Target> {
  const base = baseOf(spec)
  const { options } = spec
  if (options === 'probe') {
    const probe = await loadProbe(spec.name)
    const { runProbe } = await import('./run.ts')
    return {
      ...base,
      ...optionsAndTexts(probe),
      doc: `${probe.spec.summary}\n\nFor example: ${probe.spec.example}`,
      run: (parsed, io) => runProbe(probe, parsed, io),
    }
  }
  switch (spec.name) {
    case 'list': {
      const { listCommand } = await import('./list-command.ts')
      return { ...base, options, run: (parsed, io) => listCommand(parsed, options, io) }
    }
    case 'doctor': {
      const { doctorCommand } = await import('./doctor-command.ts')
      return { ...base, options, run: (parsed, io) => doctorCommand(parsed, options, io) }
    }
    default: {
      const { completionScript } = await import('./frame.ts')
      return { ...base, options, run: async (_, io) => says(io.stdout, completionScript()) }
    }
  }
}

function says(stdout: (text: string) => void, text: string): number {
  stdout(text)
  return exitCodes.ok
}

/** A command that is about a probe and does not run it. */
async function aboutProbe(spec: CommandSpec, word: string): Promise<Target> {
  const probe = await loadProbe(word)
  const info = await import('./info.ts')
  const run = infoCommand(spec.name, info)
  return {
    ...baseOf(spec),
    title: `${spec.name} ${probe.spec.name}`,
    ...(spec.options === 'probe' ? optionsAndTexts(probe) : { options: spec.options }),
    run: (parsed, io) => run(probe, parsed, io),
  }
}

/** `trace`, and `plan`, `print` and `schema` of one. What the words say is looked up before the options are read. */
async function traceTarget(
  spec: CommandSpec,
  words: readonly string[],
): Promise<{ target: Target; rest: readonly string[] }> {
  const { readTraceWords, knownOf, probeOf } = await import('./trace-target.ts')
  const { trace, rest } = readTraceWords(words)
  const known = await knownOf(trace.point, process.env)
  const end = rest.indexOf('--')
  const own = end === -1 ? rest : rest.slice(0, end)
  const shape = { atReturn: own.includes('--return'), latency: own.includes('--latency') }
  const shown = probeOf(trace, known, { ...shape, where: null })
  const options = [...traceOptions, ...optionsOf(shown.spec)]
  return {
    rest,
    target: {
      ...baseOf(spec),
      title: spec.name === 'trace' ? 'trace' : `${spec.name} trace`,
      takesCommand: true,
      isProbe: true,
      options,
      epilogue: fieldsText(shown.spec),
      async run(parsed, io) {
        const probe = probeOf(trace, known, { ...shape, where: only(parsed, 'where', options) })
        if (spec.name === 'trace') return (await import('./run.ts')).runProbe(probe, parsed, io)
        return infoCommand(spec.name, await import('./info.ts'))(probe, parsed, io)
      },
    },
  }
}

/** `funccount`, and `plan`, `print` and `schema` of one. */
async function callsTarget(
  spec: CommandSpec,
  words: readonly string[],
): Promise<{ target: Target; rest: readonly string[] }> {
  const { callsOf } = await import('./calls-target.ts')
  const { calls, rest } = await callsOf(words, process.env)
  const { probe, leftOut } = calls
  return {
    rest,
    target: {
      ...baseOf(spec),
      title: spec.name === 'funccount' ? 'funccount' : `${spec.name} funccount`,
      takesCommand: true,
      ...optionsAndTexts(probe),
      async run(parsed, io) {
        if (leftOut.length > 0)
          io.stderr(
            `not counted: ${leftOut.slice(0, 5).join('; ')}${leftOut.length > 5 ? `; and ${leftOut.length - 5} more` : ''}\n`,
          )
        if (spec.name === 'funccount') return (await import('./run.ts')).runProbe(probe, parsed, io)
        return infoCommand(spec.name, await import('./info.ts'))(probe, parsed, io)
      },
    },
  }
}

async function attachPointTarget(spec: CommandSpec, word: string): Promise<Target> {
  const { describeAttachPoint } = await import('./describe-attach-point.ts')
  const options = attachPointOptions
  return {
    ...baseOf(spec),
    title: `${spec.name} ${word}`,
    options,
    run: (parsed, io) =>
      describeAttachPoint(
        word,
        {
          expand: only(parsed, 'expand', options),
          output: only(parsed, 'output', options) === 'json' ? 'json' : 'table',
        },
        io,
      ),
  }
}

function infoCommand(name: string, info: typeof import('./info.ts')) {
  return { describe: info.describe, plan: info.plan, print: info.print, schema: info.schema }[
    name as 'describe' | 'plan' | 'print' | 'schema'
  ]
}

function optionsAndTexts(probe: LoadedProbe) {
  return { isProbe: true, options: optionsOf(probe.spec), epilogue: fieldsText(probe.spec) }
}

async function fileTarget(spec: CommandSpec, path: string): Promise<Target> {
  const { openRecording, replay } = await import('./replay.ts')
  const { file, probe } = await openRecording(path)
  return {
    ...baseOf(spec),
    title: `${spec.name} ${path}`,
    ...optionsAndTexts(probe),
    // Those of a live run are read, so that the error can say more than that there are none.
    options: optionsOf(probe.spec).map((each) => (each.live ? { ...each, hidden: true } : each)),
    run: (parsed, io) => replay({ file, probe }, parsed, io),
  }
}

/** The fields of each event; yargs makes columns of what tabs separate. */
function fieldsText(probe: ProbeSpec): string {
  return Object.entries(probe.events)
    .flatMap(([name, event]) => [
      `Fields of ${name} (${event.doc}):`,
      ...Object.entries(event.fields).map(
        ([field, { doc, unit }]) =>
          `  ${field}\t  ${unit === undefined ? doc : `${doc} (${unit})`}`,
      ),
    ])
    .join('\n')
}
