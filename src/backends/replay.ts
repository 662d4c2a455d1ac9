import { EbpfRunError } from '../errors.ts'
import type { ProbeSpec } from '../schema/define.ts'
import type { AnyEvent } from '../schema/define.ts'
import { withNames } from '../schema/names.ts'
import { fieldsLeftOut, withSwitches } from '../schema/switches.ts'
import type { Account } from '../wire/account.ts'
import type { Containers } from '../wire/containers.ts'
import { createCounters } from '../wire/counters.ts'
import { createDecoder } from '../wire/decoder.ts'
import { layoutsOfProbe, type RecordLayout } from '../wire/layout.ts'
import { type Owner, withOwner } from '../wire/owner.ts'
import { createAccount } from '../wire/tally.ts'
import { badRecording, decodeFrames, layoutDigest, type RecordingHead } from './recording.ts'

export interface Replay {
  readonly head: RecordingHead
  /** With the names that its enums had on the host of the recording, without the event types that were switched off. */
  readonly probe: ProbeSpec
  /** Feeds the recorded bytes through the same decoder as a live run; returns the account as the bytes tell it. */
  play(onEvent: (event: AnyEvent) => boolean): {
    readonly account: Account
    readonly durationMs: number
  }
}

/** Reads the head of a recording. Throws BAD_RECORDING. */
export function headOf(file: Buffer): RecordingHead {
  for (const { frame } of decodeFrames(file.subarray(0, file.indexOf(0x0a) + 1))) {
    if (frame.frame === 'head') return frame
  }
  throw badRecording('its first frame is no head')
}

/** A recording of this probe, ready to be played. Throws BAD_RECORDING when its events were defined otherwise. */
export function openReplay(file: Buffer, spec: ProbeSpec): Replay {
  const head = headOf(file)
  const switches = head.switches ?? []
  const probe = withNames(withSwitches(spec, switches), head.host.facts?.tracepoints ?? {})
  const variant = probe.variants.find((each) => each.name === head.variant)
  const layouts =
    variant === undefined
      ? undefined
      : [[], laterFields(probe)]
          .map((later) => new Set([...fieldsLeftOut(probe, variant, switches), ...later]))
          .map((leftOut) => layoutsOfProbe(probe.events, leftOut))
          .find((each) =>
            [layoutDigest(probe, each), digestBefore(probe, each)].includes(head.layout),
          )
  if (layouts === undefined) {
    throw new EbpfRunError({
      code: 'BAD_RECORDING',
      message: `this recording of ${probe.name} was made with other fields than this version has`,
      found: `${head.variant}, layout ${head.layout}`,
      remedy: 'replay it with the version that made it, or record again',
    })
  }
  return {
    head,
    probe,
    play(onEvent) {
      const clock = { offsetNs: 0n }
      const owners = ownersIn(file)
      const containers = containersIn(file)
      let place = 0
      const counters = createCounters(head.token)
      const tally = createAccount(Object.keys(probe.events), layouts)
      const decoder = createDecoder({
        token: head.token,
        events: probe.events,
        layouts,
        clock,
        containers,
        mode: 'object',
        handlers: {
          event(event, type) {
            tally.received(type)
            const owner = owners.get(place)
            place += 1
            if (onEvent(owner === undefined ? event : withOwner(event, owner, containers)))
              tally.delivered(type)
            else tally.filtered(type)
          },
          lines: () => {},
          heartbeat: () => {},
          end: () => {},
          fault: (type) => tally.fault(type),
          other: (line) => void counters.line(line),
        },
      })
      let tail: Tail | null = null
      for (const { frame, payload } of decodeFrames(file)) {
        if (frame.frame === 'clock') clock.offsetNs = BigInt(frame.offset_ns)
        if (frame.frame === 'tail') tail = readTail(frame.summary)
        if (payload !== null) decoder.push(payload)
      }
      decoder.end()
      for (const type of Object.keys(probe.events)) tally.missed(type, tail?.missed[type] ?? null)
      return {
        account: tally.snapshot({ final: tail?.isExact ?? false, counters }),
        durationMs: tail?.durationMs ?? 0,
      }
    },
  }
}

/** The digest in recordings from when some fields were of another kind. */
function digestBefore(probe: ProbeSpec, layouts: readonly RecordLayout[]): string {
  return layoutDigest(probe, layouts, ({ kind, was }) => was ?? kind)
}

/** Fields that an older recording does not have. */
function laterFields({ events }: ProbeSpec): readonly string[] {
  return Object.values(events).flatMap(({ fields }) =>
    Object.entries(fields).flatMap(([name, { later }]) => (later === true ? [name] : [])),
  )
}

/** Owners that the run was told by /proc, by the place of their events. */
function ownersIn(file: Buffer): ReadonlyMap<number, Owner> {
  return new Map(
    [...decodeFrames(file)].flatMap(({ frame }) => (frame.frame === 'owned' ? frame.events : [])),
  )
}

/** Containers that the run knew. A cgroup's id is not used again, so what was found out later holds for earlier events too. */
function containersIn(file: Buffer): Containers {
  const names = new Map(
    [...decodeFrames(file)].flatMap(({ frame }) =>
      frame.frame === 'container' ? [[frame.cgroup, frame.name] as const] : [],
    ),
  )
  return { nameOf: (cgroup) => names.get(cgroup) ?? null }
}

/** What only the run itself knew, from the summary in its recording. */
interface Tail {
  readonly isExact: boolean
  readonly durationMs: number
  readonly missed: Readonly<Record<string, number>>
}

function readTail(summary: unknown): Tail {
  const { account, duration_ms: duration, events } = fieldsOf(summary)
  const missed = Object.entries(fieldsOf(events)).flatMap(([type, each]) => {
    const { missed: count } = fieldsOf(each)
    return typeof count === 'number' ? [[type, count] as const] : []
  })
  return {
    isExact: account === 'exact',
    durationMs: typeof duration === 'number' ? duration : 0,
    missed: Object.fromEntries(missed),
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
