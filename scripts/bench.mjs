// npm run bench: ratios of one run, never absolute promises. Needs a build, and root for the parts that trace.
import { spawnSync } from 'node:child_process'
import { decodeBench, memoryBench } from './bench/decode.mjs'

const cli = new URL('../dist/src/cli.js', import.meta.url).pathname
const rounds = 9

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]

function timed(command, args) {
  const from = process.hrtime.bigint()
  spawnSync(command, args, { stdio: 'ignore' })
  return Number(process.hrtime.bigint() - from) / 1e6
}

/** Commands in turn, round by round, so that a slower moment meets all of them. */
function inTurn(commands) {
  const times = commands.map(() => [])
  for (let round = 0; round < rounds; round += 1)
    commands.forEach(([, command, args], index) => times[index].push(timed(command, args)))
  return commands.map(([name], index) => ({ name, ms: median(times[index]) }))
}

console.log('decoding framed text (median of rounds, ratio to what one would write by hand)')
for (const { name, perSecond, ratio } of await decodeBench({ count: 1_000_000, rounds: 3 })) {
  console.log(
    `  ${name.padEnd(44)} ${(perSecond / 1e6).toFixed(2).padStart(6)} M/s ${ratio === null ? '' : `${ratio.toFixed(2)}x`}`,
  )
}
const { events, startBytes, maxBytes } = await memoryBench()
console.log(
  `  ${events} events: resident ${Math.round(startBytes / 2 ** 20)} MiB before, at most ${Math.round(maxBytes / 2 ** 20)} MiB`,
)

console.log('start, against node -e 0')
const [node, ...others] = inTurn([
  ['node -e 0', process.execPath, ['-e', '0']],
  ['ebpf-run --version', process.execPath, [cli, '--version']],
  ['ebpf-run list', process.execPath, [cli, 'list']],
  ['ebpf-run --help', process.execPath, [cli, '--help']],
  ['ebpf-run tcpconnect --help', process.execPath, [cli, 'tcpconnect', '--help']],
])
for (const { name, ms } of others) console.log(`  ${name.padEnd(44)} ${(ms / node.ms).toFixed(2)}x`)

if (process.getuid() === 0) {
  console.log(
    'until attached and gone again, against node -e 0 plus bare bpftrace with the same program',
  )
  const program = spawnSync(process.execPath, [cli, 'print', 'tcpconnect'], {
    encoding: 'utf8',
  }).stdout
  const mount =
    'mount -t tracefs tracefs /sys/kernel/tracing; mount -t debugfs debugfs /sys/kernel/debug; exec "$@"'
  const oneShot = `${program}\ninterval:ms:1 { exit(); }\n`
  const bare = () => {
    const from = process.hrtime.bigint()
    spawnSync(
      'unshare',
      ['--mount', '--propagation', 'private', '/bin/sh', '-c', mount, 'sh', 'bpftrace', '-'],
      { input: oneShot, stdio: ['pipe', 'ignore', 'ignore'] },
    )
    return Number(process.hrtime.bigint() - from) / 1e6
  }
  const own = []
  const base = []
  for (let round = 0; round < rounds; round += 1) {
    base.push(timed(process.execPath, ['-e', '0']) + bare())
    own.push(timed(process.execPath, [cli, 'tcpconnect', '--duration', '1ms', '-q']))
  }
  console.log(
    `  ${'ebpf-run tcpconnect --duration 1ms'.padEnd(44)} ${(median(own) / median(base)).toFixed(2)}x`,
  )
}
