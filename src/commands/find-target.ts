import { loadProbe } from '../catalog/load.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import type { ProbeSpec } from '../schema/define.ts'
import type { CommandSpec } from './commands.ts'
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
  if (word === '-h' || word === '--help')
    return { target: { ...baseOf(spec), options: generalOptions(spec), run: nothing }, rest: words }
  if (word === undefined || word.startsWith('-'))
    throw new EbpfRunError({
      code: 'USAGE',
      message: takes === 'FILE' ? `${name} needs a recording` : `${name} needs a probe`,
      remedy:
        takes === 'FILE'
          ? `ebpf-run ${name} FILE; --record FILE makes one`
          : `ebpf-run ${name} tcpconnect; ebpf-run list shows all`,
    })
  const target = takes === 'FILE' ? await fileTarget(spec, word) : await aboutProbe(spec, word)
  return { target, rest }
}

/** Without its probe a command shows the options of every probe. */
function generalOptions({ options, takes }: CommandSpec) {
  if (options !== 'probe') return options
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
      const { listText } = await import('./list.ts')
      return { ...base, options, run: async (_, io) => says(io.stdout, listText()) }
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
  const run = { describe: info.describe, plan: info.plan, print: info.print, schema: info.schema }[
    spec.name as 'describe' | 'plan' | 'print' | 'schema'
  ]
  return {
    ...baseOf(spec),
    title: `${spec.name} ${probe.spec.name}`,
    ...(spec.options === 'probe' ? optionsAndTexts(probe) : { options: spec.options }),
    run: (parsed, io) => run(probe, parsed, io),
  }
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
