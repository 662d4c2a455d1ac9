import { EbpfRunError } from '../errors.ts'
import { type CommandSpec, newOptions, traceOptions } from './commands.ts'
import type { Io } from './io.ts'
import { tellLeftOut } from './left-out.ts'
import { only } from './only.ts'
import { optionsOf } from './options.ts'
import { baseOf, type Target } from './target.ts'
import { beforeCommand, fieldsText, optionsAndTexts, runOrTell } from './target-parts.ts'

type Found = Promise<{ target: Target; rest: readonly string[] }>
type Maker = (spec: CommandSpec, words: readonly string[], env: Io['env']) => Found

/** Words that make a probe of those that follow. */
const makers = {
  trace: traceTarget,
  funccount: callsTarget,
  pipe: pipeTarget,
  script: scriptTarget,
  new: newTarget,
} as const satisfies Readonly<Record<string, Maker>>

export function isMaker(word: string | undefined): word is keyof typeof makers {
  return word !== undefined && Object.hasOwn(makers, word)
}

/** The target whose probe is made: of the maker's own command, or of one that tells of it. Throws BAD_VALUE, CONFLICT, NO_MATCH. */
export function makeTarget(
  maker: keyof typeof makers,
  ...[spec, words, env]: Parameters<Maker>
): Found {
  return makers[maker](spec, words, env)
}

/** What the words of a trace say, looked up on this kernel: before the options are read, which depend on it. */
async function lookUpTrace(words: readonly string[], env: Io['env']) {
  const { readTraceWords, takeHistogram } = await import('./trace-words.ts')
  const { lookUp } = await import('./look-up.ts')
  const { partsOf, probeOf } = await import('./trace-target.ts')
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
      probe: shown.spec.name,
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
  const { defineCalls } = await import('../attach/calls.ts')
  const { calls, rest } = await callsOf(words, env)
  const { counted, pattern, leftOut } = calls
  const probe = { ...defineCalls(counted, pattern), leftOut }
  return {
    rest,
    target: {
      ...baseOf(spec),
      title: spec.name === 'funccount' ? 'funccount' : `${spec.name} funccount`,
      takesCommand: true,
      ...optionsAndTexts(probe),
      async run(parsed, io) {
        tellLeftOut('not counted', leftOut, io)
        if (spec.name !== 'funccount') return runOrTell('funccount', spec, probe, parsed, io)
        const { runCalls } = await import('./run-calls.ts')
        return runCalls(calls, parsed, io, (each) => runOrTell('funccount', spec, each, parsed, io))
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
      probe: probe.spec.name,
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
      probe: probe.spec.name,
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
