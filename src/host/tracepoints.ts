import { closeSync, openSync } from 'node:fs'

import { no, unknown, yes } from './fact.ts'
import type { Fact, HostFacts } from './facts.ts'
import { findTracefs, type Mount } from './mounts.ts'
import type { PrivateTracefs } from './private-tracefs.ts'
import { errnoOf, readHost } from './read.ts'
import { formatPath, parseFormat } from './tracepoint-format.ts'

/** What tracefs tells, ours or a private one. */
export interface Tracing {
  readonly tracefs: Fact
  readonly tracepoints: HostFacts['tracepoints']
  /** `readable`, `absent` or the error of opening available_filter_functions; null: nothing to look in. */
  readonly filterFunctions: string | null
  readonly kprobeEvents: boolean | null
  /** Text of securityfs' lockdown file when only a private mount showed it. */
  readonly lockdown: string | null
}

export interface TracingAccess {
  readonly mounts: readonly Mount[]
  /** Path of unshare; null when there is none, or we may not mount. */
  readonly unshare: string | null
  readonly env: NodeJS.ProcessEnv
  /** Reads a private tracefs, or remembers what it read. */
  readonly readPrivate: (
    unshare: string,
    files: readonly string[],
    env: NodeJS.ProcessEnv,
  ) => Promise<PrivateTracefs>
}

/** Reads tracefs where it is mounted; where it is not, in the mount namespace of one child. */
export async function lookIntoTracefs(
  tracepoints: readonly string[],
  access: TracingAccess,
): Promise<Tracing> {
  const root = findTracefs(access.mounts)
  const known = Object.fromEntries(
    tracepoints.filter((name) => formatPath(name) === null).map((name) => [name, null]),
  )
  const paths = new Map(
    tracepoints.flatMap((name) => {
      const path = formatPath(name)
      return path === null ? [] : [[path, name] as const]
    }),
  )
  if (root !== null) return readMounted(root, paths, known)
  const missing = 'not mounted at /sys/kernel/tracing'
  if (access.unshare === null) return { ...nothing(no(missing)), tracepoints: known }
  const seen = await access.readPrivate(access.unshare, [...paths.keys()], access.env)
  if (seen.failure !== null)
    return {
      ...nothing(no(`${missing}; a private mount failed: ${seen.failure}`)),
      tracepoints: known,
    }
  return {
    tracefs: no(`${missing}; a private mount works`),
    tracepoints: { ...known, ...pick(paths, (path) => seen.formats.get(path)) },
    filterFunctions: seen.functions,
    kprobeEvents: seen.kprobeEvents,
    lockdown: seen.lockdown,
  }
}

function nothing(tracefs: Fact): Tracing {
  return { tracefs, tracepoints: {}, filterFunctions: null, kprobeEvents: null, lockdown: null }
}

function readMounted(
  root: string,
  paths: ReadonlyMap<string, string>,
  known: HostFacts['tracepoints'],
): Tracing {
  const events = openError(`${root}/events/enable`)
  if (events !== null && events !== 'ENOENT')
    return { ...nothing(unknown(`${root}/events: ${events}`)), tracepoints: known }
  const functions = openError(`${root}/available_filter_functions`)
  const formats = pick(paths, (path) => {
    const file = readHost(`${root}/${path}`)
    return 'text' in file ? file.text : file.errno === 'ENOENT' ? null : undefined
  })
  return {
    tracefs: yes(`${root} is readable`),
    tracepoints: { ...known, ...formats },
    filterFunctions:
      functions === null ? 'readable' : functions === 'ENOENT' ? 'absent' : functions,
    kprobeEvents: openError(`${root}/kprobe_events`) !== 'ENOENT',
    lockdown: null,
  }
}

/** Tracepoint to fields (null: no such tracepoint), without those that could not be read. */
function pick(
  paths: ReadonlyMap<string, string>,
  textOf: (path: string) => string | null | undefined,
): HostFacts['tracepoints'] {
  return Object.fromEntries(
    [...paths].flatMap(([path, name]) => {
      const text = textOf(path)
      return text === undefined ? [] : [[name, text === null ? null : parseFormat(text)]]
    }),
  )
}

/** Errno of opening a file to read, null when it opens. */
function openError(path: string): string | null {
  try {
    closeSync(openSync(path, 'r'))
    return null
  } catch (error) {
    return errnoOf(error)
  }
}
