// How long the command takes to start, beside node alone and beside bpftrace alone. Needs a build.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inNamespace } from './namespace.mjs'

const cli = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))
const limit = { timeout: 60_000, killSignal: 'SIGKILL' }

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

function timed([command, args], input = '') {
  const from = process.hrtime.bigint()
  const { status, error } = spawnSync(command, args, {
    ...limit,
    input,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const ms = Number(process.hrtime.bigint() - from) / 1e6
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? status}`)
  return ms
}

/** Rows of {name, ratio}: in turn, round by round, so that a slower moment meets all of them. */
export function startBench({ rounds }) {
  const node = [process.execPath, ['-e', '0']]
  const argvs = [
    ['--version'],
    ['list'],
    ['--help'],
    ['tcpconnect', '--help'],
    // With a cache that is warm: the first round fills it.
    ['list', '--attach-points', 'kprobe:tcp_*'],
    ['describe', 'function:tcp_v4_connect'],
  ]
  const commands = [node, ...argvs.map((argv) => [process.execPath, [cli, ...argv]])]
  const times = commands.map(() => [])
  for (let round = 0; round < rounds; round += 1)
    commands.forEach((command, index) => times[index].push(timed(command)))
  const [base, ...others] = times.map(median)
  return argvs.map((argv, index) => ({
    name: `ebpf-run ${argv.join(' ')}`,
    ratio: others[index] / base,
  }))
}

/** A run of 1 ms against node and bpftrace alone with the same program, which ends when it is attached. */
export function attachBench({ rounds }) {
  const { stdout: program } = spawnSync(process.execPath, [cli, 'print', 'tcpconnect'], {
    ...limit,
    encoding: 'utf8',
  })
  const oneShot = `${program}\ninterval:ms:1 { exit(); }\n`
  const own = []
  const base = []
  for (let round = 0; round < rounds; round += 1) {
    base.push(
      timed([process.execPath, ['-e', '0']]) + timed(inNamespace('exec bpftrace -'), oneShot),
    )
    own.push(timed([process.execPath, [cli, 'tcpconnect', '--duration', '1ms', '-q']]))
  }
  return { name: 'ebpf-run tcpconnect --duration 1ms', ratio: median(own) / median(base) }
}
