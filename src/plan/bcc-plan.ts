import type { HostFacts } from '../host/facts.ts'
import { kinds } from '../schema/kinds.ts'
import { dumpCode } from '../wire/groups.ts'
import { chooseBuffers } from './buffers.ts'
import { heartbeatMs } from './footer.ts'
import type { Way } from './plan.ts'
import type { Place } from './plan-request.ts'
import { ringFunction } from './questions.ts'
import type { BccInput, BccProgram } from './bcc-program.ts'
import { renderBcc } from './render-bcc.ts'
import type { Secrets } from './render.ts'

/** What a program is made from, without what this back-end adds, and where it goes. */
type Asked = Omit<BccInput, 'transport' | 'ringBytes' | 'mapKeys' | 'members'> & {
  readonly place: Place | null
}

/** What the bcc back-end adds to a plan. */
export function bccPlan(common: Asked, facts: HostFacts, bufferBytes: number | null): Way {
  const transport: BccInput['transport'] =
    facts.functions[ringFunction]?.is === 'yes' ? 'ring buffer' : 'perf buffer'
  const chosen = chooseBuffers(facts, { transport }, bufferBytes)
  // A ring buffer is one for all CPUs, and a power of two as well.
  const ringBytes = 2 ** Math.floor(Math.log2(chosen.totalBytes))
  const buffers = transport === 'ring buffer' ? { ...chosen, totalBytes: ringBytes } : chosen
  const input = {
    ...common,
    members: facts.members,
    transport,
    ringBytes,
    mapKeys: buffers.mapKeys,
  }
  const program = (secrets: Secrets): BccProgram => renderBcc(input, secrets)
  return {
    clock: 'monotonic',
    buffers,
    canGate: true,
    gate: "a flag in a map, set by the driver's handler of SIGURG",
    program,
    input: (secrets) => requestOf(program(secrets), secrets, { ...input, buffers }),
  }
}

/** The line of JSON that src/backends/bcc/driver.py reads. */
function requestOf(
  program: BccProgram,
  { token }: Secrets,
  { buffers, summary, place, hasHeaders }: Asked & Pick<Way, 'buffers'>,
): string {
  const request = {
    token,
    program: program.text,
    headers: hasHeaders,
    place,
    transport: buffers.transport,
    pages: buffers.pages,
    beat_ms: heartbeatMs,
    records: program.structs.map(({ layout, members, bytes }) => ({
      code: layout.code,
      bytes,
      members: members.map(({ name, type, bytes: size }) => ({ name, type, bytes: size })),
      closed: layout.closed.map(({ name }) => name),
      hex: layout.closed.flatMap(({ name, spec }) =>
        kinds[spec.kind].printf === '%llx' ? [name] : [],
      ),
      texts: layout.texts.map(({ name }) => name),
    })),
    groups: program.groups,
    interval_ms: summary?.intervalMs ?? null,
    dump_code: dumpCode,
    counts: program.counts,
    full_at: program.fullAt,
    unowned_at: program.unownedAt,
    symbols: program.symbols,
    attach: program.attach,
  }
  return `${JSON.stringify(request)}\n`
}
