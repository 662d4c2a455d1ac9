// The same traffic through bcc's own tools: which connections and executions did they print?
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** The tool, and how a line of its output becomes a key; the same key is made from an event of ours. */
const tools = {
  tcpconnect: {
    command: ['/usr/sbin/tcpconnect-bpfcc', '-L'],
    key: (words) => (/^\d+$/.test(words[0]) ? words.slice(-4).join(' ') : null),
    own: (event) => [event.laddr, event.lport, event.raddr, event.rport].join(' '),
    // 0.18 does not show local ports.
    older: {
      command: ['/usr/sbin/tcpconnect-bpfcc'],
      key: (words) =>
        /^\d+$/.test(words[0]) ? [words.at(-3), words.at(-2), words.at(-1)].join(' ') : null,
      own: (event) => [event.laddr, event.raddr, event.rport].join(' '),
    },
  },
  tcpconnlat: {
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
    command: ['/usr/sbin/tcplife-bpfcc', '-w'],
    key: (words) =>
      /^\d+$/.test(words.at(-4)) ? words.slice(-7, -3).map(unmapped).join(' ') : null,
    own: (event) => [event.laddr, event.lport, event.raddr, event.rport].join(' '),
  },
  retrans: {
    command: ['/usr/sbin/tcpretrans-bpfcc', '-l'],
    key: (words) =>
      /^\d\d:/.test(words[0]) && words[4] === 'R>' ? `${words[3]} ${words[5]}` : null,
    own: (event) =>
      event.kind === 'syn-ack'
        ? null
        : `${event.laddr}:${event.lport} ${event.raddr}:${event.rport}`,
  },
  tcpstates: {
    command: ['/usr/sbin/tcpstates-bpfcc'],
    key: (words) =>
      words.length >= 10 && words.includes('->')
        ? `${words.slice(-8, -4).map(noAddress).join(' ')} ${words.at(-4)} ${words.at(-2)}`
        : null,
    own: (event) =>
      `${event.laddr ?? ''} ${event.lport ?? 0} ${event.raddr ?? ''} ${event.rport ?? 0} ${event.old_state} ${event.new_state}`,
  },
  tcptracer: {
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
    // It does not trace execveat.
    blindTo: 1,
  },
}

/** Probes that have such a tool. */
export const toolNames = Object.keys(tools)

/** What is started for a probe. */
export const toolCommand = (probe) => tools[probe].command.join(' ')

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
      if (/^.*(PID|SADDR|COMM).*\n/m.test(output)) done(true)
    })
    void ended.then(() => done(false))
  })
  if (!isReady && tool.older !== undefined && isRefused(errors)) return { errors }
  const lines = await work(child.pid)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  // Python drops a Ctrl-C that comes while the tool prints an event, so it is said again.
  child.kill('SIGINT')
  const again = setInterval(() => child.kill('SIGINT'), 2_000)
  const last = setTimeout(() => child.kill('SIGKILL'), 30_000)
  await ended
  clearInterval(again)
  clearTimeout(last)
  return {
    lines,
    errors,
    judge: (_, events) =>
      isReady
        ? compare(tool, output, events)
        : { ok: null, text: `did not start: ${errors.trim().split('\n').at(-1)}` },
  }
}

/** How many of our keys bcc printed as often. */
function compare(tool, output, events) {
  const count = (keys) =>
    keys.reduce(
      (map, key) => (key === null ? map : map.set(key, (map.get(key) ?? 0) + 1)),
      new Map(),
    )
  const theirs = count(output.split('\n').map((line) => tool.key(line.trim().split(/\s+/))))
  const ours = count(events.map(tool.own))
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
  return {
    ok: more === 0 && same >= total - (tool.blindTo ?? 0),
    text: `saw ${same} of our ${total}${more > 0 ? `, and ${more} that we did not` : ''}`,
    same,
    total,
    more,
    unseen,
  }
}
