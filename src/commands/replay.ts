import { readFileSync } from 'node:fs'
import { headOf, openReplay } from '../backends/replay.ts'
import { loadProbe } from '../catalog/load.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import { eventPasses } from '../plan/filters.ts'
import { numberOfFields } from '../plan/numbers.ts'
import { sinks } from '../sinks/index.ts'
import { accountText } from '../sinks/status.ts'
import type { Io } from './help.ts'
import { openFile, type Output, openStdout } from './output.ts'
import { readRequest } from './run.ts'

/** `ebpf-run replay FILE [filters] [-o …]`: the events of a recording, through the same decoder as a live run. */
export async function replay(argv: readonly string[], io: Io): Promise<number> {
  const [path, ...rest] = argv
  if (path === undefined || path.startsWith('-')) {
    throw new EbpfRunError({
      code: 'USAGE',
      message: 'replay needs a recording',
      remedy: 'ebpf-run replay FILE; --record FILE makes one',
    })
  }
  const file = read(path)
  const probe = await loadProbe(headOf(file).probe)
  const request = readRequest(probe, rest)
  if (request === null) {
    io.stdout(
      'ebpf-run replay FILE [filters of its probe] [-o FORMAT] [--fields LIST] [--count N]\n',
    )
    return exitCodes.ok
  }
  const recording = openReplay(file, probe.spec)
  const state: { failure: EbpfRunError | null; isClosed: boolean } = {
    failure: null,
    isClosed: false,
  }
  const events = {
    onBehind: () => {},
    onDrain: () => {},
    onClosed: () => void (state.isClosed = true),
    onFailed: (error: EbpfRunError) => void (state.failure ??= error),
  }
  const out: Output =
    request.out === null ? openStdout(io.env, events) : openFile(request.out, events)
  const { flags } = request.parsed
  const sink = sinks[request.output](out, {
    probe: probe.spec,
    fields: request.fields,
    header: flags['header'] ?? true,
    utc: flags['utc'] ?? false,
  })
  const numberOf = numberOfFields(probe.spec)
  const { host, started, variant } = recording.head
  if (!flags['quiet'])
    io.stderr(
      `recording of ${probe.spec.name} (${variant}), made ${started} on Linux ${host.kernel} with bpftrace ${host.bpftrace}\n`,
    )
  let count = 0
  sink.begin()
  const { account, durationMs } = recording.play((event) => {
    const isWanted =
      !state.isClosed &&
      (request.count === null || count < request.count) &&
      request.plan.filters.every((filter) => eventPasses(filter, event, numberOf))
    if (isWanted) {
      count += 1
      sink.event(event)
    }
    return isWanted
  })
  sink.end()
  await out.close()
  if (!flags['quiet']) io.stderr(`${accountText(account, { durationMs, notes: [] })}\n`)
  if (state.failure !== null) throw state.failure
  return exitCodes.ok
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
