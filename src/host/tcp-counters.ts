import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { parseBoundNetworks } from './mounts.ts'
import { findTool } from './tools.ts'

/** TCP counters of one network namespace, since it was made. */
export interface TcpCounters {
  /** RetransSegs: segments that were to be sent again, failed attempts included. */
  readonly retransmitted: number
  /** TCPRetransFail: those of them that could not be sent. */
  readonly failed: number
  /** OutSegs: segments sent. */
  readonly sent: number
}

/** Where the counters of this host's network namespaces are read. */
export interface TcpCounterSource {
  /** Of each namespace that a process lives in. */
  ofProcesses(): Map<number, TcpCounters>
  /** Namespaces that are mounted somewhere, whether a process lives in them or not: inode to path. */
  bound(): Map<number, string>
  /** Of a namespace that is mounted there; null when it cannot be entered. */
  ofBound(path: string): Promise<TcpCounters | null>
}

export function tcpCounterSource(env: NodeJS.ProcessEnv): TcpCounterSource {
  const nsenter = findTool('nsenter', env)
  return {
    ofProcesses: readOfProcesses,
    bound: () => parseBoundNetworks(attempt(() => readFileSync('/proc/self/mountinfo', 'utf8'))),
    ofBound: (path) => (nsenter === null ? Promise.resolve(null) : enter(nsenter, path)),
  }
}

/** The counters in the texts of net/snmp and net/netstat: for each group a line of names and a line of values. Null without them. */
export function parseTcpCounters(text: string): TcpCounters | null {
  const lines = text.split('\n').map((line) => line.split(' '))
  const value = (group: string, name: string): number => {
    const [names, values] = lines.filter(([first]) => first === `${group}:`)
    return Number(values?.[names?.indexOf(name) ?? -1] ?? Number.NaN)
  }
  const counters = {
    retransmitted: value('Tcp', 'RetransSegs'),
    failed: value('TcpExt', 'TCPRetransFail'),
    sent: value('Tcp', 'OutSegs'),
  }
  return Object.values(counters).some(Number.isNaN) ? null : counters
}

function readOfProcesses(): Map<number, TcpCounters> {
  const found = new Map<number, TcpCounters>()
  for (const pid of listing('/proc').filter((name) => /^\d+$/.test(name))) {
    const netns = Number(
      /^net:\[(\d+)\]$/.exec(attempt(() => readlinkSync(`/proc/${pid}/ns/net`)))?.[1] ?? 0,
    )
    if (netns === 0 || found.has(netns)) continue
    const read = (name: string) => attempt(() => readFileSync(`/proc/${pid}/net/${name}`, 'utf8'))
    const counters = parseTcpCounters(read('snmp') + read('netstat'))
    if (counters !== null) found.set(netns, counters)
  }
  return found
}

/** Only a process that is in a namespace can read its counters. */
function enter(nsenter: string, path: string): Promise<TcpCounters | null> {
  const args = [`--net=${path}`, 'cat', '/proc/self/net/snmp', '/proc/self/net/netstat']
  return new Promise((resolve) => {
    execFile(nsenter, args, { timeout: 5_000 }, (error, stdout) =>
      resolve(error === null ? parseTcpCounters(stdout) : null),
    ).stdin?.end()
  })
}

function listing(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

/** Processes come and go while they are read. */
function attempt(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
