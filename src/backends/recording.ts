import { createHash } from 'node:crypto'
import { EbpfRunError } from '../errors.ts'
import type { HostFacts } from '../host/facts.ts'
import type { FieldSpec, ProbeSpec } from '../schema/define.ts'
import type { Kind } from '../schema/kinds.ts'
import type { RecordLayout } from '../wire/layout.ts'
import type { Owner } from '../wire/owner.ts'

/*
 * A recording: frames, each a line of JSON with the bytes that follow it.
 *
 *   {"frame":"head", ...}             what ran, on which host
 *   {"frame":"clock","offset_ns":"…"} from here on, what to add to the kernel's clock
 *   {"frame":"bytes","ms":12,"length":n} LF, then n bytes of the back-end's output, then LF
 *   {"frame":"owned","events":[[n, {"pid":…, …}]]} owners that /proc told, by the place of their events among all of the run
 *   {"frame":"container","cgroup":"…","name":"…"} whose container a cgroup is
 *   {"frame":"tail","summary":{…}}    the run's account
 */

export interface RecordingHead {
  readonly frame: 'head'
  readonly format: 1
  readonly probe: string
  readonly variant: string
  /** The probe's switches that were on; absent: none. */
  readonly switches?: readonly string[]
  readonly token: string
  /** Of the events as they were defined: a recording of other fields cannot be decoded. */
  readonly layout: string
  /** Of a probe that is not in the catalogue: its definition, to be checked before use. */
  readonly definition?: unknown
  readonly started: string
  readonly host: {
    readonly kernel: string
    readonly bpftrace: string | null
    readonly facts: HostFacts
  }
}

export type Frame =
  | RecordingHead
  | { readonly frame: 'clock'; readonly offset_ns: string }
  | { readonly frame: 'bytes'; readonly ms: number; readonly length: number }
  | { readonly frame: 'owned'; readonly events: readonly (readonly [number, Owner])[] }
  | { readonly frame: 'container'; readonly cgroup: string; readonly name: string }
  | { readonly frame: 'tail'; readonly summary: unknown }

/** A frame as bytes; `payload` only for `bytes`. */
export function encodeFrame(frame: Frame, payload?: Buffer): Buffer {
  const line = Buffer.from(`${JSON.stringify(frame)}\n`)
  return payload === undefined ? line : Buffer.concat([line, payload, Buffer.from('\n')])
}

/** A short digest of what the records of a probe in one variant hold. */
export function layoutDigest(
  probe: ProbeSpec,
  layouts: readonly RecordLayout[],
  kindOf: (spec: FieldSpec) => Kind = ({ kind }) => kind,
): string {
  const shape = [
    probe.name,
    layouts.map(({ code, event, part, closed, texts }) => [
      code,
      event,
      part ?? null,
      [closed, texts].map((fields) => fields.map(({ name, spec }) => [name, kindOf(spec)])),
    ]),
  ]
  return createHash('sha256').update(JSON.stringify(shape)).digest('hex').slice(0, 16)
}

/** The frames of a recording in order, with the bytes of `bytes` frames. Throws BAD_RECORDING, also for one that was cut. */
export function* decodeFrames(file: Buffer): Generator<{ frame: Frame; payload: Buffer | null }> {
  let at = 0
  while (at < file.length) {
    const lineEnd = file.indexOf(0x0a, at)
    const frame = lineEnd === -1 ? null : readFrame(file.toString('utf8', at, lineEnd))
    if (frame === null) throw badRecording(`byte ${at} does not begin a frame`)
    at = lineEnd + 1
    if (frame.frame !== 'bytes') {
      yield { frame, payload: null }
      continue
    }
    if (at + frame.length + 1 > file.length)
      throw badRecording(`it ends within the frame at byte ${at}`)
    yield { frame, payload: file.subarray(at, at + frame.length) }
    at += frame.length + 1
  }
}

export function badRecording(found: string): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_RECORDING',
    message: 'this is no whole recording of ebpf-run',
    found,
    remedy: 'make one with --record FILE and let the run end',
  })
}

function readFrame(line: string): Frame | null {
  try {
    const value: unknown = JSON.parse(line)
    // The one place where outside data becomes a frame: each kind is checked by what it must hold.
    return isFrame(value) ? value : null
  } catch {
    return null
  }
}

function isFrame(value: unknown): value is Frame {
  if (typeof value !== 'object' || value === null || !('frame' in value)) return false
  const has = (name: string, type: string) =>
    name in value && typeof (value as Record<string, unknown>)[name] === type
  switch (value.frame) {
    case 'head':
      return (
        has('probe', 'string') &&
        has('variant', 'string') &&
        has('token', 'string') &&
        has('layout', 'string') &&
        has('host', 'object')
      )
    case 'clock':
      return 'offset_ns' in value && /^-?\d{1,20}$/.test(String(value.offset_ns))
    case 'bytes':
      return 'length' in value && Number.isSafeInteger(value.length) && Number(value.length) >= 0
    case 'owned':
      return 'events' in value && Array.isArray(value.events) && value.events.every(isOwned)
    case 'container':
      return (
        'cgroup' in value &&
        /^\d{1,20}$/.test(String(value.cgroup)) &&
        'name' in value &&
        /^[A-Za-z0-9_.-]{1,64}$/.test(String(value.name))
      )
    case 'tail':
      return has('summary', 'object')
    default:
      return false
  }
}

function isOwned(entry: unknown): entry is readonly [number, Owner] {
  if (!Array.isArray(entry) || !Number.isSafeInteger(entry[0])) return false
  const owner: unknown = entry[1]
  if (typeof owner !== 'object' || owner === null) return false
  const { pid, uid, comm, cgroup } = owner as Readonly<Record<string, unknown>>
  return (
    Number.isSafeInteger(pid) &&
    (uid === null || Number.isSafeInteger(uid)) &&
    [comm, cgroup].every((each) => each === null || typeof each === 'string')
  )
}
