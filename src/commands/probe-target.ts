import { builtinNamed, loadProbe } from '../catalog/load.ts'
import { userProbesOf } from '../catalog/user-folder.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { allowOption, type CommandSpec, newOptions, traceOptions } from './commands.ts'
import type { Io } from './io.ts'
import { withFreeOptions } from './free-options.ts'
import { tellLeftOut } from './left-out.ts'
import { only } from './only.ts'
import { optionsOf, type RunOption, runOptions } from './options.ts'
import { baseOf, type Target } from './target.ts'

/** The target of a command that may be about a probe or a recording. Throws USAGE, UNKNOWN_PROBE, BAD_RECORDING. */
export async function findProbeTarget(
  spec: CommandSpec,
  words: readonly string[],
  env: Io['env'],
): Promise<{ target: Target; rest: readonly string[] }> {
  const { name, takes } = spec
  const isAllowed = beforeCommand(words).includes('--allow-user-probes')
  const load = async (probe: string) =>
    withFreeOptions(await loadProbe(probe, userProbesOf(env, isAllowed)))
  if (name === 'pipe') return pipeTarget(spec, words)
  if (takes === null) return { target: await plainTarget(spec, load), rest: words }
  const [word, ...rest] = words
  if (isHelp(word))
    return { target: { ...baseOf(spec), options: generalOptions(spec), run: nothing }, rest: words }
  if (word === undefined || word.startsWith('-'))
    throw new EbpfRunError({
      code: 'USAGE',
      ...missingWord(name, takes),
    })
  if (takes === 'ATTACH-POINT')
    return name === 'funccount' ? callsTarget(spec, words, env) : traceTarget(spec, words, env)
  if (takes === 'SCRIPT') return scriptTarget(spec, words)
  if (takes === 'NAME') return newTarget(spec, words, env)
  if (takes === 'FILE') return { target: await fileTarget(spec, word), rest }
  if (word === 'trace' && name !== 'describe') return traceTarget(spec, rest, env)
  if (word === 'funccount' && name !== 'describe') return callsTarget(spec, rest, env)
  if (word === 'pipe') return pipeTarget(spec, rest)
  if (word === 'script' && rest.length > 0) return scriptTarget(spec, rest)
  return { target: await aboutProbe(spec, word, load), rest }
}

function missingWord(name: string, takes: NonNullable<CommandSpec['takes']>) {
  const needs = {
    FILE: ['a recording', `ebpf-run ${name} FILE; --record FILE makes one`],
    PROBE: ['a probe', `ebpf-run ${name} tcpconnect; ebpf-run list shows all`],
    SCRIPT: ['a script', `ebpf-run ${name} FILE.bt; bpftrace's own are in /usr/sbin/*.bt`],
    NAME: ['a name for the probe', `ebpf-run ${name} my-probe --from syscall:openat path=filename`],
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

/** Loads a probe, of the catalogue or of the user's. */
type Load = (name: string) => Promise<LoadedProbe>

/** The words that are ours: what follows `--` is a command. */
function beforeCommand(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--')
  return end === -1 ? words : words.slice(0, end)
}

/** A command that is complete, or a probe. */
async function plainTarget(spec: CommandSpec, load: Load): Promise<Target> {
  const base = baseOf(spec)
  const { options } = spec
  if (options === 'probe') {
    const probe = await load(spec.name)
    const { runProbe } = await import('./run.ts')
    return {
      ...base,
      ...optionsAndTexts(probe),
      doc: `${probe.spec.summary}\n\nFor example: ${probe.spec.example}`,
      run: (parsed, io) => runProbe(probe, parsed, io),
    }
  }
  switch (spec.name) {
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
async function aboutProbe(spec: CommandSpec, word: string, load: Load): Promise<Target> {
  const probe = await load(word)
  const info = await import('./info.ts')
  const run = infoCommand(spec.name, info)
  return {
    ...baseOf(spec),
    title: `${spec.name} ${probe.spec.name}`,
    ...(spec.options === 'probe'
      ? optionsAndTexts(probe)
      : { options: [...spec.options, ...optionsOfUser(probe.spec)] }),
    run: (parsed, io) => run(probe, parsed, io),
  }
}

/** What the words of a trace say, looked up on this kernel: before the options are read, which depend on it. */
async function lookUpTrace(words: readonly string[], env: Io['env']) {
  const { readTraceWords, takeHistogram } = await import('./trace-words.ts')
  const { lookUp, partsOf, probeOf } = await import('./trace-target.ts')
  const { trace, rest: options } = await readTraceWords(words, env)
  const { drawn, rest } = takeHistogram(options, trace)
  const found = await lookUp(trace, env)
  const own = beforeCommand(rest)
  const shape = {
    atReturn: own.includes('--return'),
    latency: own.includes('--latency'),
    stack: own.includes('--stack'),
    ...(drawn === null ? {} : { drawn }),
  }
  const partsWhere = (where: string | null) => partsOf(found, shape, where)
  return { trace, rest, shape, partsWhere, shown: probeOf(partsWhere(null)) }
}

/** `trace`, and `plan`, `print`, `schema` and `types` of one. */
async function traceTarget(
  spec: CommandSpec,
  words: readonly string[],
  env: Io['env'],
): Promise<{ target: Target; rest: readonly string[] }> {
  if (beforeCommand(words).includes('--calls')) return traceCallsTarget(spec, words, env)
  const { rest, partsWhere, shown } = await lookUpTrace(words, env)
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
        const { runTrace } = await import('./run-trace.ts')
        const parts = partsWhere(only(parsed, 'where', options))
        return runTrace(parts, spec.name, parsed, io, (probe) =>
          runOrTell('trace', spec, probe, parsed, io),
        )
      },
    },
  }
}

/** `trace PATTERN … --calls` is `funccount PATTERN …`. */
async function traceCallsTarget(
  spec: CommandSpec,
  words: readonly string[],
  env: Io['env'],
): Promise<{ target: Target; rest: readonly string[] }> {
  const end = words.findIndex((word) => word.startsWith('-'))
  const own = words.slice(0, end)
  const field = own.find((word) => /^[^:]*=/.test(word))
  const others = ['where', 'return', 'latency', 'stack'].map((name) => `--${name}`)
  const other = beforeCommand(words).find((word) =>
    others.some((each) => word === each || word.startsWith(`${each}=`)),
  )
  const wrong = field ?? other
  if (wrong !== undefined)
    throw new EbpfRunError({
      code: 'CONFLICT',
      message: `--calls only counts: it has no use for ${wrong}`,
      remedy: 'leave out one of them',
    })
  const patterns = own.map((word) => word.replace(/^(?:function|fn|fentry|f|p|k):/, 'kprobe:'))
  const left = words.slice(end)
  const at = left.indexOf('--calls')
  const { target, rest } = await callsTarget(
    spec.name === 'trace' ? { ...spec, name: 'funccount' } : spec,
    [...patterns, ...left.slice(0, at), ...left.slice(at + 1)],
    env,
  )
  return {
    target: { ...target, title: spec.name === 'trace' ? 'trace' : `${spec.name} trace` },
    rest,
  }
}

/** `funccount`, and `plan`, `print` and `schema` of one. */
async function callsTarget(
  spec: CommandSpec,
  words: readonly string[],
  env: Io['env'],
): Promise<{ target: Target; rest: readonly string[] }> {
  const { callsOf } = await import('./calls-target.ts')
  const { calls, rest } = await callsOf(words, env)
  const { leftOut } = calls
  const probe = { ...calls.probe, leftOut }
  return {
    rest,
    target: {
      ...baseOf(spec),
      title: spec.name === 'funccount' ? 'funccount' : `${spec.name} funccount`,
      takesCommand: true,
      ...optionsAndTexts(probe),
      async run(parsed, io) {
        tellLeftOut('not counted', leftOut, io)
        return runOrTell('funccount', spec, probe, parsed, io)
      },
    },
  }
}

/** `pipe`, and what `plan`, `print`, `schema`, `types` and `describe` say of it. */
async function pipeTarget(
  spec: CommandSpec,
  words: readonly string[],
): Promise<{ target: Target; rest: readonly string[] }> {
  const { pipeOf } = await import('./pipe-target.ts')
  const { probe, options } = pipeOf(words)
  return {
    rest: words,
    target: {
      ...baseOf(spec),
      title: spec.name === 'pipe' ? 'pipe' : `${spec.name} pipe`,
      takesCommand: false,
      isProbe: true,
      options,
      epilogue: fieldsText(probe.spec),
      async run(parsed, io) {
        // Of several the first was taken, before anything was read; here that is refused.
        only(parsed, 'pattern', options)
        return runOrTell('pipe', spec, probe, parsed, io)
      },
    },
  }
}

/** `script`, and what `plan`, `print`, `schema`, `types` and `describe` say of one. */
async function scriptTarget(
  spec: CommandSpec,
  words: readonly string[],
): Promise<{ target: Target; rest: readonly string[] }> {
  const { scriptOf } = await import('./script-target.ts')
  const { probe, options, untyped, rest } = scriptOf(words)
  return {
    rest,
    target: {
      ...baseOf(spec),
      title: spec.name === 'script' ? 'script' : `${spec.name} script`,
      takesCommand: true,
      isProbe: true,
      options,
      epilogue: fieldsText(probe.spec),
      async run(parsed, io) {
        if (untyped.length > 0)
          io.stderr(`not typed, its output stays text: ${untyped.join('; ')}\n`)
        // A script says itself what it looks at.
        const flags = { ...parsed.flags, ...(parsed.command === null ? {} : { all: true }) }
        const asked = { ...parsed, flags }
        return runOrTell('script', spec, probe, asked, io)
      },
    },
  }
}

/** `new NAME --from`, and what `trace` takes. */
async function newTarget(
  spec: CommandSpec,
  words: readonly string[],
  env: Io['env'],
): Promise<{ target: Target; rest: readonly string[] }> {
  const { makeNewProbe, readNewWords } = await import('./new-target.ts')
  const { name, trace: traceWords, rest: before } = readNewWords(words)
  const { trace, rest, shape, partsWhere, shown } = await lookUpTrace(traceWords, env)
  const own = [...traceOptions, ...newOptions]
  const ofRuns = optionsOf(shown.spec)
    .filter((option) => !own.some((each) => each.name === option.name))
    .map((option) => ({ ...option, hidden: true as const }))
  const options = [...own, ...ofRuns]
  return {
    rest: [...before, ...rest],
    target: {
      ...baseOf(spec),
      title: `new ${name}`,
      options,
      epilogue: fieldsText(shown.spec),
      async run(parsed, io) {
        const where = only(parsed, 'where', options)
        const asked = { trace, where, ...shape }
        const { probeOf } = await import('./trace-target.ts')
        const { leftOut, ...probe } = probeOf(partsWhere(where))
        tellLeftOut('not in it', leftOut ?? [], io)
        return makeNewProbe(name, asked, probe, parsed, options, io)
      },
    },
  }
}

/** Runs what its own command names; the others tell of it. */
async function runOrTell(
  own: string,
  { name }: CommandSpec,
  ...[probe, parsed, io]: Parameters<typeof import('./run.ts').runProbe>
): Promise<number> {
  if (name === own) return (await import('./run.ts')).runProbe(probe, parsed, io)
  return infoCommand(name, await import('./info.ts'))(probe, parsed, io)
}

function infoCommand(name: string, info: typeof import('./info.ts')) {
  const { describe, plan, print, schema, types } = info
  const all = { describe, plan, print, schema, types }
  return all[name as keyof typeof all]
}

function optionsAndTexts({ spec }: LoadedProbe) {
  const options = [...optionsOf(spec), ...optionsOfUser(spec)]
  return { isProbe: true, options, epilogue: fieldsText(spec) }
}

/** What only a probe of the user's has. */
function optionsOfUser({ name }: ProbeSpec): readonly RunOption[] {
  return builtinNamed(name) === null ? [allowOption] : []
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
