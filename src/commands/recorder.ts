import { closeSync, fchmodSync } from 'node:fs'
import { builtin } from '../../probes/index.ts'
import { encodeFrame, type Frame, layoutDigest } from '../backends/recording.ts'
import type { EbpfRunError } from '../errors.ts'
import type { HostFacts } from '../host/facts.ts'
import type { Plan } from '../plan/plan.ts'
import type { Calibration } from '../session/clock.ts'
import type { Owner } from '../wire/owner.ts'
import { openForWriting, outputError, writeAll } from './output.ts'

/** Writes a recording while the run goes on. */
export interface Recorder {
  begin(token: string): void
  bytes(chunk: Buffer): void
  clock(calibration: Calibration): void
  owned(owners: readonly (readonly [number, Owner])[]): void
  container(cgroup: string, name: string): void
  close(summary: object): void
}

/** Opens a recording: mode 0600, because the run's token is in its bytes. Throws OUTPUT_FAILED; later failures go to `onFailed`. */
export function openRecorder(
  path: string,
  plan: Plan,
  facts: HostFacts,
  onFailed: (error: EbpfRunError) => void,
): Recorder {
  const fd = openForWriting(path, 0o600)
  fchmodSync(fd, 0o600)
  const started = Date.now()
  let isBroken = false
  const write = (frame: Frame, payload?: Buffer): void => {
    if (isBroken) return
    try {
      writeAll(fd, encodeFrame(frame, payload))
    } catch (error) {
      isBroken = true
      onFailed(outputError(path, error))
    }
  }
  return {
    begin: (token) =>
      write({
        frame: 'head',
        format: 1,
        probe: plan.probe.name,
        variant: plan.variant.name,
        ...(plan.switches.length > 0 ? { switches: plan.switches } : {}),
        token,
        layout: layoutDigest(plan.probe, plan.layouts),
        ...(Object.hasOwn(builtin, plan.probe.name) ? {} : { definition: plan.probe }),
        started: new Date(started).toISOString(),
        host: { kernel: facts.kernel.release, bpftrace: facts.bpftrace.version, facts },
      }),
    bytes: (chunk) =>
      write({ frame: 'bytes', ms: Date.now() - started, length: chunk.length }, chunk),
    clock: ({ offsetNs }) => write({ frame: 'clock', offset_ns: String(offsetNs) }),
    owned: (events) => write({ frame: 'owned', events }),
    container: (cgroup, name) => write({ frame: 'container', cgroup, name }),
    close(summary) {
      write({ frame: 'tail', summary })
      closeSync(fd)
    },
  }
}
