import type { LoadedProbe } from '../plan/plan.ts'
import type { FieldRequest } from '../attach/request.ts'
import { attachPointText } from '../attach/point.ts'
import { shellWord } from '../catalog/trust.ts'
import { checkUserDefinition } from '../catalog/user.ts'
import { userFolder } from '../catalog/user-folder.ts'
import {
  nearestFolder,
  requireFreePlace,
  requireNewName,
  writeProbe,
} from '../catalog/write-probe.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { ownNames } from './commands.ts'
import type { Io } from './io.ts'
import { only } from './only.ts'
import type { RunOption } from './options.ts'
import { outputError } from './output.ts'
import { probeFiles } from './probe-files.ts'
import type { Parsed } from './target.ts'
import type { TraceWords } from './trace-words.ts'

/** The words of `new`: the name, and those of `trace` after --from; `rest` are options, of `new` or of `trace`. */
export interface NewWords {
  readonly name: string
  readonly trace: readonly string[]
  readonly rest: readonly string[]
}

/** Takes `NAME --from` apart from what follows. Throws BAD_VALUE for the name, USAGE. */
export function readNewWords([name = '', ...words]: readonly string[]): NewWords {
  requireNewName(name, ownNames)
  const end = words.indexOf('--')
  const at = words.findIndex(
    (word, index) => (end === -1 || index < end) && /^--from(?:=|$)/.test(word),
  )
  const attached = words[at]?.slice('--from='.length) ?? ''
  const trace = [...(attached === '' ? [] : [attached]), ...words.slice(at + 1)]
  if (at === -1 || trace[0] === undefined || trace[0].startsWith('-'))
    throw new EbpfRunError({
      code: 'USAGE',
      message: 'new needs an attach point',
      remedy: `ebpf-run new ${name} --from syscall:openat path=filename; the words are those of trace`,
    })
  return { name, trace, rest: words.slice(0, at) }
}

/** What was asked: the words of a trace, and its options. */
interface Asked {
  readonly trace: TraceWords
  readonly where: string | null
  readonly atReturn: boolean
  readonly latency: boolean
  readonly stack: boolean
}

/** Writes the probe's folder and says where it is. Throws CONFLICT, PROBE_EXISTS, UNTRUSTED_PROBE, BAD_DEFINITION, OUTPUT_FAILED. */
export function makeNewProbe(
  name: string,
  asked: Asked,
  made: LoadedProbe,
  parsed: Parsed,
  options: readonly RunOption[],
  io: Io,
): number {
  refuseRunOptions(name, parsed, options)
  const standard = userFolder(io.env)
  const folder = userFolder({ EBPF_RUN_PROBES: only(parsed, 'dir', options) ?? standard })
  const isAllowed = parsed.flags['allow-user-probes'] === true || process.geteuid?.() !== 0
  requireFreePlace(folder, name, isAllowed)
  const probe = { ...made, spec: named(name, made.spec, asked.where) }
  checkUserDefinition(structuredClone(probe.spec), name, name)
  const files = probeFiles(probe, commandText(name, asked))
  const path = write(folder, name, files)
  if (only(parsed, 'output', options) === 'json')
    io.stdout(`${JSON.stringify({ name, path, files: Object.keys(files) })}\n`)
  else {
    io.stdout(`${path}\n`)
    io.stderr(
      `made ${Object.keys(files).join(', ')}\nrun it: ${runText(name, folder, standard, parsed)}\n`,
    )
  }
  return exitCodes.ok
}

/** What runs the probe: by root, who looks elsewhere and does not trust the folders of others. */
function runText(name: string, folder: string, standard: string, { flags }: Parsed): string {
  const isRoot = process.geteuid?.() === 0
  const place = `EBPF_RUN_PROBES=${shellWord(folder)} `
  if (!isRoot) return `sudo ${place}ebpf-run ${name} --allow-user-probes`
  const allow = flags['allow-user-probes'] === true ? ' --allow-user-probes' : ''
  return `${folder === standard ? '' : place}ebpf-run ${name}${allow}`
}

function write(folder: string, name: string, files: ReturnType<typeof probeFiles>): string {
  try {
    return writeProbe(folder, name, files)
  } catch (error) {
    throw outputError(nearestFolder(folder), error)
  }
}

/** A trace's definition under its name. Its texts are the user's expressions, which may go over lines. */
function named(name: string, spec: ProbeSpec, where: string | null): ProbeSpec {
  const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ')
  const events = Object.entries(spec.events).map(([event, each]) => [
    event,
    {
      ...each,
      fields: Object.fromEntries(
        Object.entries(each.fields).map(([field, it]) => [field, { ...it, doc: oneLine(it.doc) }]),
      ),
    },
  ])
  const summary = oneLine(`${spec.summary}${where === null ? '' : `, where ${where}`}`)
  return { ...spec, name, summary, example: `ebpf-run ${name}`, events: Object.fromEntries(events) }
}

/** The command line that makes it again. */
function commandText(name: string, { trace, where, ...shape }: Asked): string {
  const fieldText = ({ name: field, source, kind }: FieldRequest) =>
    `${field}=${source}${kind === null ? '' : `:${kind}`}`
  const words = [
    ...['ebpf-run', 'new', name, '--from'],
    ...trace.flatMap(({ point, fields }) => [attachPointText(point), ...fields.map(fieldText)]),
    ...(where === null ? [] : ['--where', where]),
    ...(shape.atReturn ? ['--return'] : []),
    ...(shape.latency ? ['--latency'] : []),
    ...(shape.stack ? ['--stack'] : []),
  ]
  return words.map((word) => shellWord(word.replaceAll(/\s+/g, ' '))).join(' ')
}

/** Options of a run are read, because they stand in the command line of a finished trace, and belong to no probe. */
function refuseRunOptions(name: string, parsed: Parsed, options: readonly RunOption[]): void {
  const given = [...Object.keys(parsed.texts), ...Object.keys(parsed.flags)]
  const wrong = options.filter((each) => each.hidden && given.includes(each.name))
  if (wrong.length === 0) return
  const text = wrong.map((each) => `--${each.name}`).join(', ')
  throw new EbpfRunError({
    code: 'CONFLICT',
    message: `${text}: of a run, not of a probe`,
    remedy: `leave out ${text} here, then: ebpf-run ${name} ${text} …`,
  })
}
