import { loadProbe } from '../catalog/load.ts'
import { userProbesOf } from '../catalog/user-folder.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import { type CommandSpec, traceOptions } from './commands.ts'
import type { Io } from './io.ts'
import { withFreeOptions } from './free-options.ts'
import { optionsOf, type RunOption, runOptions, shapeOptionsOf } from './options.ts'
import { baseOf, type Target } from './target.ts'
import { beforeCommand, infoCommand, optionsAndTexts, optionsOfUser } from './target-parts.ts'
import { positionals } from './words.ts'

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
  if (takes === null && name !== 'pipe')
    return { target: await plainTarget(spec, load), rest: words }
  const [word, ...rest] = words
  if (name !== 'pipe') {
    if (await isHelpAlone(name, words)) {
      const options = await generalOptions(spec)
      const target = { ...baseOf(spec), options, epilogue: moreHelp(spec), run: nothing }
      return { target, rest: words }
    }
    if (word === undefined || (word.startsWith('-') && name !== 'funccount'))
      throw new EbpfRunError({ code: 'USAGE', ...missingWord(name, takes ?? 'PROBE') })
  }
  const { isMaker, makeTarget } = await import('./made-target.ts')
  if (isMaker(name)) return makeTarget(name, spec, words, env)
  if (takes === 'FILE') return { target: await fileTarget(spec, word ?? ''), rest }
  if (isMaker(word) && isTold(name, word, rest)) return makeTarget(word, spec, rest, env)
  if (isMaker(word))
    throw new EbpfRunError({
      code: 'USAGE',
      message: `${name} needs a probe, and ${word} is a command: what it shows depends on the words that follow it`,
      found: word,
      remedy:
        word === 'new'
          ? 'ebpf-run new --help'
          : `ebpf-run ${word} --help; ebpf-run schema ${word} ... has the fields`,
    })
  return { target: await aboutProbe(spec, word ?? '', load), rest }
}

/** Whether a command tells of what `word` makes; `describe` of an attach point has its own words. */
function isTold(command: string, word: string, rest: readonly string[]): boolean {
  if (word === 'pipe') return true
  if (word === 'script') return rest.length > 0
  return word !== 'new' && command !== 'describe'
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

const callsOptions = async () => (await import('./calls-target.ts')).callsOptions()

/** Whether the help of a command is asked for without what the command is about. Patterns of funccount may stand behind its options. */
async function isHelpAlone(name: string, words: readonly string[]): Promise<boolean> {
  if (isHelp(words[0])) return true
  if (name !== 'funccount' || !beforeCommand(words).some(isHelp)) return false
  return (
    positionals(words, { probe: 'funccount', options: await callsOptions() }).found.length === 0
  )
}

/** Without its probe a command shows the options of every probe. */
async function generalOptions({ name, options, takes }: CommandSpec) {
  if (name === 'funccount') return callsOptions()
  if (takes === 'SCRIPT') return (await import('./script-target.ts')).optionsOfScript(runOptions)
  if (options === 'shape') return shapeOptionsOf(null)
  if (options !== 'probe') return options
  if (takes === 'ATTACH-POINT')
    return name === 'trace' ? [...traceOptions, ...runOptions] : runOptions
  return takes === 'FILE' ? runOptions.filter((option) => !option.live) : runOptions
}

/** What the help of a command lacks that depends on what it is about. */
function moreHelp({ name, usage, options }: CommandSpec): string {
  const [, what = ''] = usage.split(' ')
  return options === 'probe'
    ? `The filters and fields depend on ${what}: ebpf-run ${name} ${what} --help shows them as well.`
    : ''
}

const nothing = async () => exitCodes.ok

/** Loads a probe, of the catalogue or of the user's. */
type Load = (name: string) => Promise<LoadedProbe>

/** A command that is complete, or a probe. */
async function plainTarget(spec: CommandSpec, load: Load): Promise<Target> {
  const base = baseOf(spec)
  const { options } = spec
  if (typeof options === 'string') {
    const probe = await load(spec.name)
    return {
      ...base,
      ...optionsAndTexts(probe),
      doc: `${probe.spec.summary}\n\nFor example: ${probe.spec.example}`,
      // Loaded when it runs, and not for the help: most of what there is stands behind it.
      run: async (parsed, io) => (await import('./run.ts')).runProbe(probe, parsed, io),
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
      : { options: [...ownOptions(spec.options, probe), ...optionsOfUser(probe.spec)] }),
    run: (parsed, io) => run(probe, parsed, io),
  }
}

function ownOptions(options: readonly RunOption[] | 'shape', { spec }: LoadedProbe) {
  return options === 'shape' ? shapeOptionsOf(spec) : options
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
