// What `describe` and `list --attach-points` say of this kernel, held against the kernel itself.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** How many functions of each kind are tried. */
const sample = 3

async function ask(cli, words, { asNobody = false } = {}) {
  const argv = [process.execPath, cli, ...words]
  return run(...(asNobody ? ['setpriv', '--reuid', '65534', '--clear-groups', ...argv] : argv))
}

async function run(command, ...rest) {
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data) => (stdout += data))
  child.stderr.on('data', (data) => (stderr += data))
  const [status] = await once(child, 'close')
  return { status, stdout, stderr }
}

/** Reads the kernel's own files about functions from mounts that stand no longer than `use` runs. */
async function* withKernelLists(use) {
  const mounts = ['tracefs', 'debugfs'].map((type) => {
    const folder = mkdtempSync(join(tmpdir(), `${type}-`))
    execFileSync('mount', ['-t', type, type, folder])
    return folder
  })
  try {
    yield* use(kernelLists(...mounts))
  } finally {
    for (const folder of mounts) execFileSync('umount', [folder])
  }
}

function kernelLists(folder, debug) {
  return {
    /** Whether the kernel takes a kprobe on this function. */
    takes(name) {
      try {
        writeFileSync(join(folder, 'kprobe_events'), `p:er_answers ${name}\n`, { flag: 'a' })
      } catch {
        return false
      }
      writeFileSync(join(folder, 'kprobe_events'), '-:er_answers\n', { flag: 'a' })
      return true
    },
    traceable: readFileSync(join(folder, 'available_filter_functions'), 'latin1')
      .split('\n')
      .filter((line) => /^[\w.]+$/.test(line)),
    blacklisted: readFileSync(join(debug, 'kprobes/blacklist'), 'latin1')
      .split('\n')
      .flatMap((line) => /\s(\w+)$/.exec(line)?.[1] ?? []),
  }
}

/** Functions of the kernel itself that one symbol alone has. */
function uniqueSymbols() {
  const counts = new Map()
  for (const [, name] of readFileSync('/proc/kallsyms', 'latin1').matchAll(
    /^[0-9a-f]+ [tT] (\w+)$/gm,
  ))
    counts.set(name, (counts.get(name) ?? 0) + 1)
  return new Set([...counts].flatMap(([name, count]) => (count === 1 ? [name] : [])))
}

/** Some of a list, spread over it, the same in every run. */
function spread(names, count) {
  const step = Math.max(1, Math.floor(names.length / (count + 1)))
  return Array.from({ length: count }, (_, index) => names[(index + 1) * step]).filter(Boolean)
}

/** Whether functions can be hooked: what describe says, against what the kernel does. */
async function* hookable(cli, lists) {
  const unique = uniqueSymbols()
  const traceable = new Set(lists.traceable)
  const blacklisted = new Set(lists.blacklisted)
  const own = (names) => names.filter((name) => unique.has(name))
  const others = [...unique].filter(
    (name) => !traceable.has(name) && !blacklisted.has(name) && !/^(?:__pfx|__cfi)_/.test(name),
  )
  const tried = [
    ...spread(own(lists.traceable), sample),
    ...spread(own(lists.blacklisted), sample),
    ...spread(others, sample),
  ]
  for (const name of tried) {
    const { stdout, stderr } = await ask(cli, ['describe', `function:${name}`, '-o', 'json'])
    const ways = stdout === '' ? [] : JSON.parse(stdout).ways
    const said = ways.find(({ way }) => way === 'kprobe')?.fact.is ?? stderr.trim()
    const isTaken = lists.takes(name)
    yield [
      `function:${name}: the kernel ${isTaken ? 'takes' : 'refuses'} a kprobe`,
      said,
      isTaken ? 'yes' : 'no',
    ]
  }
}

/** [what is asked, what was said, what is right] of each question to describe. */
async function* describeAnswers({ cli }, lists) {
  yield* hookable(cli, lists)
  const asJson = async (words) =>
    JSON.parse((await ask(cli, ['describe', ...words, '-o', 'json'])).stdout)
  const connect = await asJson(['function:tcp_v4_connect', '--expand', 'sk.__sk_common'])
  yield [
    'arguments of tcp_v4_connect',
    connect.signature.arguments.map(({ name }) => name).join(),
    'sk,uaddr,addr_len',
  ]
  yield [
    'members of sk.__sk_common',
    connect.expanded.members.some(({ name }) => name === 'skc_state'),
    true,
  ]
  yield ['a way to attach', connect.ways.some(({ fact }) => fact.is === 'yes'), true]
  const state = await asJson(['tracepoint:sock:inet_sock_set_state'])
  yield [
    'names of newstate',
    state.fields.find(({ name }) => name === 'newstate').names[2],
    'TCP_SYN_SENT',
  ]
  yield ['other kernels', state.other_kernels.length > 0, true]
  const uprobe = await asJson(['uprobe:libc:getaddrinfo'])
  yield ['a function of the C library', uprobe.hookable.is, 'yes']
  const nowhere = await ask(cli, ['describe', 'kprobe:tcp_v4_conect'])
  yield ['what may be wrong', /did you mean .*tcp_v4_connect/.test(nowhere.stderr), true]
  const nobody = await ask(cli, ['describe', 'function:tcp_v4_connect'], { asNobody: true })
  yield ['without root', nobody.stdout.includes('int tcp_v4_connect(struct sock *sk, '), true]
}

async function* listAnswers({ cli }, lists) {
  const listed = async (pattern, options) =>
    (await ask(cli, ['list', '--attach-points', pattern], options)).stdout
      .split('\n')
      .filter(Boolean)
  const traceable = lists.traceable.filter((name) => name.startsWith('tcp_v4_'))
  const kprobes = await listed('kprobe:tcp_v4_*')
  yield [
    'kprobe:tcp_v4_*',
    [...kprobes].sort().join(),
    [...new Set(traceable)]
      .map((name) => `kprobe:${name}`)
      .sort()
      .join(),
  ]
  yield [
    'without root',
    (await listed('kprobe:tcp_v4_*', { asNobody: true })).join(),
    kprobes.join(),
  ]
  yield [
    'a regular expression',
    (await listed('kprobe:/^tcp_v[46]_connect$/')).join(),
    'kprobe:tcp_v4_connect,kprobe:tcp_v6_connect',
  ]
  const events = readdirSync('/sys/kernel/btf').length > 0 ? await listed('tracepoint:sock:*') : []
  yield ['tracepoint:sock:*', events.includes('tracepoint:sock:inet_sock_set_state'), true]
  yield ['syscall:getpg*', (await listed('syscall:getpgid')).join(), 'syscall:getpgid']
  yield ['fentry', (await listed('fentry:tcp_v4_connect')).join(), 'fentry:tcp_v4_connect']
  yield [
    'rawtracepoint',
    (await listed('rawtracepoint:sched_switch')).join(),
    'rawtracepoint:sched_switch',
  ]
  const module = /^\w+ /m.exec(readFileSync('/proc/modules', 'latin1'))?.[0].trim()
  yield [`functions of the module ${module}`, (await listed(`kprobe:${module}:*`)).length > 0, true]
  yield ['uprobe', (await listed('uprobe:libc:getaddrinf?')).length, 1]
  yield ['usdt', (await listed('usdt:/usr/bin/python3:python:gc__*')).length, 2]
}

/** What is left on an interface, by who was killed. Throws what ebpf-run said where it could not attach. */
async function* killedAnswers({ cli }, { probe, variant }) {
  for (const victim of ['run', 'driver', 'group', 'both']) {
    const script = join(import.meta.dirname, 'killed.mjs')
    const words = [process.execPath, script, cli, probe, variant, victim]
    const { stdout, stderr } = await run(...words)
    if (stdout === '') throw new Error(stderr.trim().split('\n').slice(0, 3).join(' | '))
    const { before, during, after, left, packets } = JSON.parse(stdout)
    const [then, now, meanwhile] = [before, after, during].map((each) => JSON.stringify(each))
    yield [`${victim} killed: attached before`, meanwhile !== then, true]
    yield [`${victim} killed: what is attached`, now, then]
    yield [`${victim} killed: processes`, left, 0]
    yield [`${victim} killed: packets that arrived`, packets.received, packets.sent]
  }
}

const asked = {
  describe: (request) => withKernelLists((lists) => describeAnswers(request, lists)),
  list: (request) => withKernelLists((lists) => listAnswers(request, lists)),
  killed: killedAnswers,
}

/** Asks all questions of a cell; a row as that of a run, where an event is an answer. */
export async function runAnswers(request, cell) {
  const complaints = []
  let expected = 0
  for await (const [what, said, right] of asked[cell.answers](request, cell)) {
    expected += 1
    if (said !== right)
      complaints.push(`${what}: ${JSON.stringify(said)}, not ${JSON.stringify(right)}`)
  }
  const delivered = expected - complaints.length
  const row = { expected, delivered, lost: 0, wrong: complaints.length, faults: 0, missed: 0 }
  return { ...cell, ...row, complaints, account: 'exact' }
}
