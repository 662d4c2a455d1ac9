// The same traffic through bcc's own tools: what of it did they print? No tool of bcc's does what sockfilter, tccount, xdpcount and
// tcpreset do.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

const sbin = (name, ...rest) => [`/usr/sbin/${name}-bpfcc`, ...rest]

const ends = ({ laddr, lport, raddr, rport }) => [laddr, lport, raddr, rport].join(' ')

/**
 * The tool, and how a line of its output becomes a key; the same key is made from an event of ours. A tool that prints what it
 * counted has a `tally` of its whole output in place of `key`: how often each key. `blind`: versions
 * without this text in their source see nothing, and why. `blindTo`: so many events at most that it does
 * not see; `sums`: what makes it count more than we do; `cannot`: what it says of itself where it does not start; `perEvent`: like
 * ours, its programs send a record for each event.
 */
const tools = {
  biolatency: {
    // A device that was not there when it started has no name, in newer ones.
    command: sbin('biolatency', '-D'),
    tally: (output) => {
      const found = sections(output)
      return new Map([
        [
          'loop',
          [...found].reduce(
            (sum, [name, count]) => sum + (/^(?:loop\d+|\?)$/.test(name) ? count : 0),
            0,
          ),
        ],
      ])
    },
    own: () => 'loop',
    // It does not see flushes.
    blindTo: 5,
    // Its kprobes are on functions that some kernels have inlined.
    cannot: "it's not traceable",
  },
  dns: {
    command: sbin('gethostlatency'),
    key: (words) => (/^\d+\.\d\d$/.test(words.at(-2)) ? words.at(-1) : null),
    // It knows none of the reentrant functions. It keeps 79 bytes of a name; a line end in one makes two lines of it, and a
    // space two words.
    own: ({ kind, host }) =>
      host === null || /\s/.test(host) || kind.endsWith('_r') ? null : host.slice(0, 79),
    // What it misses while another program runs on that CPU: on 7.2 some of 16 lookups that several threads make at once.
    blindTo: 5,
    perEvent: true,
  },
  exitsnoop: {
    command: sbin('exitsnoop'),
    // It looks at first threads alone. One whose other thread executes a program ends twice for it.
    key: (words) => {
      const at = words.findIndex((word) => /^\d+\.\d\d$/.test(word))
      return at > 2 ? words.slice(at - 3, at - 1).join(' ') : null
    },
    own: ({ pid, ppid }) => `${pid} ${ppid}`,
    sums: 'the thread that another one replaced',
    // A name that is not UTF-8 is an error of the tool.
    blindTo: 1,
    perEvent: true,
  },
  funccount: {
    command: sbin('funccount', '-r', '^tcp_(v4_)?connect$'),
    key: (words) =>
      words.length === 2 && /^\d+$/.test(words[1]) ? words[0].replace(/^b'(.*)'$/, '$1') : null,
    times: (words) => Number(words[1]),
    // It is asked for functions alone.
    own: (event) => (event.function.includes(':') ? null : event.function),
  },
  killsnoop: {
    command: sbin('killsnoop'),
    key: (words) =>
      words.slice(-3).every((word) => /^-?\d+$/.test(word))
        ? `${words.at(-2)} ${words.at(-1)}`
        : null,
    // It looks at kill() alone.
    own: ({ kind, tpid, result }) => (kind === 'kill' ? `${tpid} ${result.code}` : null),
    perEvent: true,
  },
  oomkill: {
    command: sbin('oomkill'),
    tally: (output) =>
      count(
        [...output.matchAll(/Triggered by PID (\d+) \("[^]*?"\), OOM kill of PID (\d+) \("/g)].map(
          ([, pid, tpid]) => `${pid} ${tpid}`,
        ),
      ),
    own: ({ pid, tpid }) => `${pid} ${tpid}`,
    perEvent: true,
  },
  opensnoop: {
    command: sbin('opensnoop'),
    key: (words) =>
      /^\d+$/.test(words[0]) && /^-?\d+$/.test(words[2]) && /^\d+$/.test(words[3])
        ? [words[0], words[2], words[3]].join(' ')
        : null,
    // A line end in a command's name takes the process away from the rest.
    own: ({ pid, comm, fd, result }) =>
      /\s/.test(comm) ? null : `${pid} ${fd ?? -1} ${Math.max(0, -result.code)}`,
    // It does not trace creat.
    blindTo: 2,
    perEvent: true,
  },
  runqlat: {
    command: sbin('runqlat', '-L'),
    tally: sections,
    own: ({ tid }) => String(tid),
    sums: 'waits under other names and of another user',
    blind: { without: 'MAX_PID', says: 'its map has 64 places, and others had filled them' },
  },
  syscount: {
    command: sbin('syscount', '-T', '100000'),
    key: (words) => (words.length === 2 && /^\d+$/.test(words[1]) ? words[0] : null),
    times: (words) => Number(words[1]),
    own: ({ syscall }) => (['getpgid', 'getsid', 'pause'].includes(syscall) ? syscall : null),
  },
  tcpaccept: {
    command: sbin('tcpaccept'),
    key: (words) => {
      const [raddr, rport, laddr, lport] = words.slice(-4)
      return /^\d+$/.test(rport) && /^\d+$/.test(lport)
        ? ends({ laddr: unmapped(laddr), lport, raddr: unmapped(raddr), rport })
        : null
    },
    own: ends,
    blind: {
      without: 'get_sk_protocol_field',
      says: 'its version reads the protocol of a socket from where it was before 5.6',
    },
    perEvent: true,
  },
  tcpcong: {
    command: sbin('tcpcong'),
    tally: (output) =>
      new Map(
        [...output.matchAll(/^(\S+\/\d+)\s+(\S+\/\d+)(?:\s+\d+){5}\s+(\d+)\s*$/gm)].map(
          ([, one, other, changes]) => [`${one} ${other}`, Number(changes)],
        ),
      ),
    // What ends a connection is no change of state.
    own: ({ laddr, lport, raddr, rport, new_state }) =>
      new_state === null ? null : `${laddr}/${lport} ${raddr}/${rport}`,
    // By the tracepoint, the first change of a connection that was opened here only tells it that there is one.
    blindTo: 3,
  },
  tcpdrop: {
    command: sbin('tcpdrop'),
    key: (words) => {
      const at = words.indexOf('>')
      return at > 0 ? `${words[at - 1]} ${words[at + 1]}` : null
    },
    own: ({ direction, laddr, lport, raddr, rport }) => {
      const [near, far] = [`${laddr}:${lport}`, `${raddr}:${rport}`]
      return direction === 'received' ? `${far} ${near}` : `${near} ${far}`
    },
    // A compiler may have put tcp_drop() into its callers.
    cannot: 'tcp_drop() kernel function not found',
    // Before 5.17 it looks at tcp_drop() alone, and later at packets that have a socket.
    blindTo: Number.POSITIVE_INFINITY,
    perEvent: true,
  },
  tcprtt: {
    command: sbin('tcprtt'),
    // From 0.19 on it has a section for all addresses together, named by asterisks.
    tally: (output) => new Map([['', total(sections(output))]]),
    own: () => '',
  },
  tcpsynbl: {
    command: sbin('tcpsynbl'),
    tally: (output) => new Map([['2', sections(output).get('2') ?? 0]]),
    own: ({ backlog_max }) => String(backlog_max),
    sums: 'IPv4 at IPv6 sockets once more, in the function that hands it on',
  },
  tcptop: {
    // 99999 s: it prints at its end alone. What a look takes it counts as received, so that is left out.
    command: sbin('tcptop', '-C', '-S', '99999'),
    // 0.37 on 7.2: the verifier refuses it.
    cannot: "Failed to load BPF program b'kretfunc__vmlinux__tcp_recvmsg'",
    key: (words) => {
      const [laddr, raddr, received, sent] = words.slice(-4)
      return /^\d+$/.test(sent) && /^\d+$/.test(received) && /:\d+$/.test(laddr)
        ? `${laddr} ${raddr} ${sent}`
        : null
    },
    ownTally: (events) => {
      const bytes = new Map()
      for (const { pid, sent, ...event } of events) {
        const key = JSON.stringify([
          pid,
          `${event.laddr}:${event.lport}`,
          `${event.raddr}:${event.rport}`,
        ])
        bytes.set(key, (bytes.get(key) ?? 0) + Number(sent ?? 0))
      }
      return count(
        [...bytes].map(([key, sum]) =>
          [...JSON.parse(key).slice(1), Math.floor(sum / 1024)].join(' '),
        ),
      )
    },
  },
  tcpconnect: {
    perEvent: true,
    command: ['/usr/sbin/tcpconnect-bpfcc', '-L'],
    key: (words) => (/^\d+$/.test(words[0]) ? words.slice(-4).join(' ') : null),
    own: (event) =>
      isRefusedAtOnce(event)
        ? null
        : [event.laddr, event.lport, event.raddr, event.rport].join(' '),
    // 0.18 does not show local ports.
    older: {
      command: ['/usr/sbin/tcpconnect-bpfcc'],
      key: (words) =>
        /^\d+$/.test(words[0]) ? [words.at(-3), words.at(-2), words.at(-1)].join(' ') : null,
      own: (event) =>
        isRefusedAtOnce(event) ? null : [event.laddr, event.raddr, event.rport].join(' '),
    },
  },
  tcpconnlat: {
    perEvent: true,
    command: ['/usr/sbin/tcpconnlat-bpfcc', '-L'],
    key: (words) => (/^\d+$/.test(words[0]) ? words.slice(-5, -1).map(unmapped).join(' ') : null),
    own: (event) =>
      isAnswered(event) ? [event.laddr, event.lport, event.raddr, event.rport].join(' ') : null,
    // 0.18 does not show local ports.
    older: {
      command: ['/usr/sbin/tcpconnlat-bpfcc'],
      key: (words) => (/^\d+$/.test(words[0]) ? words.slice(-4, -1).map(unmapped).join(' ') : null),
      own: (event) =>
        isAnswered(event) ? [event.laddr, event.raddr, event.rport].join(' ') : null,
    },
  },
  tcplife: {
    perEvent: true,
    command: ['/usr/sbin/tcplife-bpfcc', '-w'],
    key: (words) =>
      /^\d+$/.test(words.at(-4)) ? words.slice(-7, -3).map(unmapped).join(' ') : null,
    own: (event) => [event.laddr, event.lport, event.raddr, event.rport].join(' '),
  },
  retrans: {
    perEvent: true,
    command: ['/usr/sbin/tcpretrans-bpfcc', '-l'],
    key: (words) =>
      /^\d\d:/.test(words[0]) && words[4] === 'R>' ? `${words[3]} ${words[5]}` : null,
    own: (event) =>
      event.kind === 'syn-ack'
        ? null
        : `${event.laddr}:${event.lport} ${event.raddr}:${event.rport}`,
  },
  tcpstates: {
    perEvent: true,
    command: ['/usr/sbin/tcpstates-bpfcc'],
    key: (words) =>
      words.length >= 10 && words.includes('->')
        ? `${words.slice(-8, -4).map(noAddress).join(' ')} ${words.at(-4)} ${words.at(-2)}`
        : null,
    own: (event) =>
      `${event.laddr ?? ''} ${event.lport ?? 0} ${event.raddr ?? ''} ${event.rport ?? 0} ${event.old_state} ${event.new_state}`,
  },
  tcptracer: {
    perEvent: true,
    command: ['/usr/sbin/tcptracer-bpfcc'],
    // What it was stands in front of the name, which may hold a line end: two lines for each end of a connection.
    key: (words) =>
      words.slice(-2).every((word) => /^\d+$/.test(word))
        ? words.slice(-4).map(unbracketed).join(' ')
        : null,
    own: (event) =>
      event.event === 'connect' && event.result?.code !== 0
        ? null
        : [event.laddr, event.raddr, event.lport, event.rport].join(' '),
  },
  execsnoop: {
    command: ['/usr/sbin/execsnoop-bpfcc', '-x'],
    key: (words) => {
      const at = words.findIndex((word, index) => index > 0 && /^\d+$/.test(word))
      return at > 0 && /^\d+$/.test(words[at + 1] ?? '') ? `${words[at]} ${words[at + 2]}` : null
    },
    own: (event) => `${event.pid} ${event.ret}`,
    perEvent: true,
    // It does not trace execveat.
    blindTo: 2,
  },
}

/** Probes that have such a tool. */
export const toolNames = Object.keys(tools)

/** Those whose programs send a record for each event, as ours do. */
export const perEventNames = toolNames.filter((name) => tools[name].perEvent)

/** What is started for a probe. */
export const toolCommand = (probe) => tools[probe].command.join(' ')

/** It shows what was sent alone. Where a variant cannot tell, it does not see those that were not either. */
const isRefusedAtOnce = ({ result }) => result !== null && result.code !== 0

/** It shows an answer alone: neither time-outs nor what was given up. */
const isAnswered = ({ outcome }) => outcome === 'established' || outcome === 'refused'

/** An IPv4 address in IPv6, as the tools show those of IPv6 sockets. */
const unmapped = (word) => word.replace(/^::ffff:/, '')

/** An IPv6 address in brackets. */
const unbracketed = (word) => word.replace(/^\[(.+)\]$/, '$1')

/** Where we say null, it shows the address of nobody. */
const noAddress = (word) => (word === '0.0.0.0' || word === '::' ? '' : word)

/** Runs the workload, which gets its process id, while bcc's tool is attached too. `judge` then compares what both saw of the workload's events. */
export async function compareWithBcc(probe, work) {
  const tool = tools[probe]
  const first = await watch(tool, work)
  return tool.older !== undefined && isRefused(first.errors) ? watch(tool.older, work) : first
}

/** Whether this bcc has no such tool, or it cannot work on this kernel: that says nothing about ours. */
const isKnown = ({ command, cannot }, said) =>
  said.includes(`spawn ${command[0]} ENOENT`) ||
  // Its own text does not compile on every kernel: tcprtt of 0.26 does not on 6.1.
  said.includes('Failed to compile BPF module') ||
  (cannot !== undefined && said.includes(cannot))

const isRefused = (errors) => /unrecognized arguments/.test(errors)

/** Runs one tool beside the workload; without the tool the workload is not run when there is another to try. */
async function watch(tool, work) {
  const child = spawn(tool.command[0], tool.command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONUNBUFFERED: '1' },
  })
  let output = ''
  let errors = ''
  child.stderr.on('data', (data) => (errors += data))
  const ended = once(child, 'close').catch(() => {})
  child.on('error', (error) => (errors += error.message))
  const isReady = await new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 600_000)
    const done = (value) => {
      clearTimeout(timer)
      resolve(value)
    }
    child.stdout.on('data', (data) => {
      output += data.toString('latin1')
      if (/^.*(PID|SADDR|COMM|Tracing).*\n/m.test(output)) done(true)
    })
    void ended.then(() => done(false))
  })
  if (!isReady && tool.older !== undefined && isRefused(errors)) return { errors }
  const lines = await work(child.pid)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  // Python drops a Ctrl-C that comes while the tool prints an event, so it is said again: not soon to one that prints its figures now.
  child.kill('SIGINT')
  const again = setInterval(() => child.kill('SIGINT'), tool.tally === undefined ? 2_000 : 20_000)
  const last = setTimeout(() => child.kill('SIGKILL'), 50_000)
  await ended
  clearInterval(again)
  clearTimeout(last)
  return {
    lines,
    errors,
    judge: (_, events, skipped) =>
      isReady
        ? compare(tool, output, events, skipped)
        : {
            ok: isKnown(tool, output + errors),
            isMissing: true,
            text: `did not start: ${(errors + output).trim().split('\n').at(-1)}`,
          },
  }
}

function count(keys) {
  return keys.reduce(
    (map, key) => (key === null ? map : map.set(key, (map.get(key) ?? 0) + 1)),
    new Map(),
  )
}

const total = (counts) => [...counts.values()].reduce((all, each) => all + each, 0)

/** How many values each histogram of bcc's has, by what its section is of; '' for one without sections. */
function sections(output) {
  const found = new Map()
  let section = ''
  for (const line of output.split('\n')) {
    const title = /^\S.*? = (?:b?')?(.*?)'?$/.exec(line)
    if (title !== null) section = title[1]
    const times = /^\s*\d+ -> \d+\s*: (\d+)\s/.exec(line)
    if (times !== null) found.set(section, (found.get(section) ?? 0) + Number(times[1]))
  }
  return found
}

/** How often the tool printed each key. */
function printed({ tally, key, times = () => 1 }, output) {
  if (tally !== undefined) return tally(output)
  return output
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .reduce((map, words) => {
      const name = key(words)
      return name === null ? map : map.set(name, (map.get(name) ?? 0) + times(words))
    }, new Map())
}

const has = ({ command }, text) => readFileSync(command[0], 'utf8').includes(text)

/** How many of our keys bcc printed as often. `skipped`: how often the kernel skipped a program of our runs, and so perhaps the tool's. */
function compare(tool, output, events, skipped) {
  const theirs = printed(tool, output)
  const ours = tool.ownTally?.(events) ?? count(events.map(tool.own))
  let same = 0
  let total = 0
  let more = 0
  const unseen = []
  for (const [key, times] of ours) {
    const their = theirs.get(key) ?? 0
    total += times
    same += Math.min(times, their)
    more += Math.max(0, their - times)
    if (their < times) unseen.push(key)
  }
  const isBlind = same === 0 && tool.blind !== undefined && !has(tool, tool.blind.without)
  const surplus = tool.sums === undefined ? 'that we did not' : `(${tool.sums})`
  return {
    ok:
      isBlind ||
      ((more <= skipped || tool.sums !== undefined) &&
        same >= total - (tool.blindTo ?? 0) - skipped),
    text: `saw ${same} of our ${total}${more > 0 ? `, and ${more} ${surplus}` : ''}${isBlind ? `: ${tool.blind.says}` : ''}`,
    same,
    total,
    more,
    unseen,
  }
}
