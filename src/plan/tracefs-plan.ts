import type { HostFacts } from '../host/facts.ts'
import type { RecordLayout } from '../wire/layout.ts'
import { chooseBuffers } from './buffers.ts'
import type { AnyFilter } from './filters.ts'
import { heartbeatMs } from './footer.ts'
import type { Program, Secrets } from './render.ts'
import type { Way } from './plan.ts'

interface Asked {
  readonly layouts: readonly RecordLayout[]
  readonly filters: readonly AnyFilter[]
  /** The pattern of its messages as JSON: the template of this back-end. */
  readonly pattern: string
}

/** What reading a trace instance adds to a plan. There is no program: what the reader gets is its request. */
export function tracefsPlan(
  { layouts, filters, pattern }: Asked,
  facts: HostFacts,
  bufferBytes: number | null,
): Way {
  const buffers = chooseBuffers(facts, { transport: 'ring buffer' }, bufferBytes)
  const program = ({ token }: Secrets): Program => ({
    text: `${JSON.stringify({
      token,
      beat_ms: heartbeatMs,
      kilobytes_of_cpu: buffers.pages * 4,
      has_proc: facts.hostPidNamespace.is === 'yes',
      records: layouts.map(({ code, event, closed, texts }) => ({
        code,
        event,
        closed: closed.map(({ name }) => name),
        texts: texts.map(({ name }) => name),
      })),
      pattern: JSON.parse(pattern) as unknown,
    })}\n`,
    applied: filters.map(() => 'after'),
  })
  return {
    clock: 'monotonic',
    buffers,
    canGate: true,
    gate: "the instance's tracing_on, by the reader's handler of SIGURG",
    program,
    input: (secrets) => program(secrets).text,
  }
}
