import { readFileSync } from 'node:fs'
import { backendText } from '../backends/backend.ts'
import type { RecordingHead } from '../backends/recording.ts'
import { headOf, openReplay } from '../backends/replay.ts'
import { loadProbe } from '../catalog/load.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import { eventPasses } from '../plan/filters.ts'
import { numberOfFields } from '../plan/numbers.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import type { AnyEvent } from '../schema/define.ts'
import { sinkOf } from '../sinks/index.ts'
import { accountText } from '../sinks/status.ts'
import type { Io } from './io.ts'
import { optionsOf } from './options.ts'
import { openFile, type Output, openStdout } from './output.ts'
import { isSet, readRequest, refuseLive } from './request.ts'
import { createResolver } from './resolve.ts'
import type { Parsed } from './target.ts'

interface Recording {
  readonly file: Buffer
  readonly probe: LoadedProbe
}

/** A recording and the probe that it is of. Throws BAD_RECORDING. */
export async function openRecording(path: string): Promise<Recording> {
  const file = read(path)
  const { probe, definition } = headOf(file)
  if (definition === undefined) return { file, probe: await loadProbe(probe) }
  const { checkDefinition } = await import('../catalog/check-definition.ts')
  return { file, probe: { spec: checkDefinition(definition, path), templates: {} } }
}

/** `ebpf-run replay FILE [filters] [-o …]`: the events of a recording, through the same decoder as a live run. */
export async function replay({ file, probe }: Recording, parsed: Parsed, io: Io): Promise<number> {
  refuseLive(parsed, optionsOf(probe.spec))
  // A recording holds events, also of a probe that counts them in the kernel unless asked.
  const { aggregate: _, ...events } = probe.spec
  const request = readRequest({ ...probe, spec: events }, parsed)
  const isQuiet = isSet(parsed, 'quiet')
  const recording = openReplay(file, probe.spec)
  const state: { failure: EbpfRunError | null; isClosed: boolean } = {
    failure: null,
    isClosed: false,
  }
  const outputEvents = {
    onBehind: () => {},
    onDrain: () => {},
    onClosed: () => void (state.isClosed = true),
    onFailed: (error: EbpfRunError) => void (state.failure ??= error),
  }
  const out: Output =
    request.out === null ? openStdout(io.env, outputEvents) : openFile(request.out, outputEvents)
  const resolver = request.resolve ? createResolver() : null
  const sink = sinkOf(request.output, probe.spec)(out, {
    probe: recording.probe,
    fields: request.fields,
    header: !isSet(parsed, 'no-header'),
    utc: isSet(parsed, 'utc'),
    ...(resolver === null ? {} : { shown: resolver.shown }),
  })
  const numberOf = numberOfFields(recording.probe)
  const { host, started, variant } = recording.head
  if (!isQuiet)
    io.stderr(
      `recording of ${probe.spec.name} (${variant}), made ${started} on Linux ${host.kernel} with ${madeWith(recording.head, probe)}\n`,
    )
  const isWanted = (event: AnyEvent, count: number): boolean =>
    (request.count === null || count < request.count) &&
    request.plan.filters.every((filter) => eventPasses(filter, event, numberOf))
  if (resolver !== null) {
    const wanted: AnyEvent[] = []
    recording.play((event) => isWanted(event, wanted.length) && wanted.push(event) > 0)
    await resolver.learn(wanted)
  }
  let count = 0
  sink.begin()
  const { account, durationMs } = recording.play((event) => {
    if (state.isClosed || !isWanted(event, count)) return false
    count += 1
    sink.event(event)
    return true
  })
  sink.end()
  resolver?.close()
  await out.close()
  if (!isQuiet) io.stderr(`${accountText(account, { durationMs, notes: sink.notes?.() ?? [] })}\n`)
  if (state.failure !== null) throw state.failure
  return exitCodes.ok
}

/** The back-end of the recording's variant, with its version. */
function madeWith({ variant, host }: RecordingHead, { spec }: LoadedProbe): string {
  const backend = spec.variants.find(({ name }) => name === variant)?.backend ?? 'bpftrace'
  return backendText(backend, host.facts)
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new EbpfRunError({
      code: 'BAD_RECORDING',
      message: `${path} could not be read`,
      found: error instanceof Error ? error.message : String(error),
      remedy: `ls -l ${path}; --record FILE makes one`,
      cause: error,
    })
  }
}
