import type { BtfMember, Fact, HostFacts, TracepointField } from '../../src/host/facts.ts'
import type { AnyFilter } from '../../src/plan/filters.ts'
import type { LoadedProbe } from '../../src/plan/plan.ts'
import { questionsOf } from '../../src/plan/questions.ts'

const yes: Fact = { is: 'yes', evidence: 'handmade' }

/** A machine that can do everything but what a test says it cannot. */
export function handmadeFacts(differences: Partial<HostFacts> = {}): HostFacts {
  return {
    kernel: { release: '6.12.0', machine: 'x86_64', version: '#1' },
    cpus: 2,
    memoryBytes: 2 ** 34,
    privileged: yes,
    tracefs: yes,
    btf: yes,
    kprobes: yes,
    fentry: yes,
    lockdown: { is: 'no', evidence: 'handmade' },
    jit: yes,
    hostPidNamespace: yes,
    bpftrace: { found: yes, path: '/usr/bin/bpftrace', version: '0.17.0' },
    tools: { setpriv: null, unshare: null },
    tracepoints: {},
    functions: {},
    members: {},
    ...differences,
  }
}

/** The same, with everything that a probe asks for and one bpftrace version. */
export function factsFor(
  probe: LoadedProbe,
  version: string,
  filters: readonly AnyFilter[] = [],
): HostFacts {
  const {
    tracepoints,
    functions,
    members,
    symbols = [],
    libraryFunctions = [],
  } = questionsOf(probe, filters)
  const needed = probe.spec.variants.flatMap(({ needs, switches = {} }) => [
    ...needs,
    ...Object.values(switches).flatMap((each) => (typeof each === 'string' ? [] : each)),
  ])
  const fieldsOf = (name: string) =>
    needed.flatMap((need) =>
      'tracepoint' in need && need.tracepoint === name ? (need.fields ?? []) : [],
    )
  return handmadeFacts({
    bpftrace: { found: yes, path: '/usr/bin/bpftrace', version },
    bcc: { found: yes, python: '/usr/bin/python3', version: '0.26.0' },
    headers: yes,
    tracepoints: Object.fromEntries(
      tracepoints.map((name) => [name, fieldsOf(name).map(handmadeField)]),
    ),
    functions: Object.fromEntries(functions.map((name) => [name, yes])),
    btfFunctions: Object.fromEntries(functions.map((name) => [name, yes])),
    symbols: Object.fromEntries(symbols.map((name) => [name, yes])),
    uprobes: yes,
    libraries: Object.fromEntries(
      libraryFunctions.map(({ library }) => [
        library,
        {
          path: library.startsWith('/') ? library : `/usr/lib/${library}.so`,
          functions: Object.fromEntries(libraryFunctions.map((each) => [each.function, yes])),
        },
      ]),
    ),
    members: Object.fromEntries(
      members.map((path, at) => [path, handmadeMember(8 * at, isArray(probe, path))]),
    ),
  })
}

/** A member that a template reads with an index is an array of four. */
function isArray(probe: LoadedProbe, path: string): boolean {
  return Object.values(probe.templates).some((template) => template.includes(`${path}[`))
}

function handmadeMember(offset: number, array: boolean): BtfMember {
  return { offset, size: array ? 16 : 4, signed: false, length: array ? 4 : 0 }
}

function handmadeField(name: string): TracepointField {
  return { name, type: '__u32', length: 0, offset: 8, size: 4 }
}
