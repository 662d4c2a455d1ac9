import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { planOnHost } from '../../src/commands/plan-on-host.ts'
import { placeholderToken } from '../../src/plan/plan.ts'

const root = new URL('../../', import.meta.url).pathname
const mounts =
  'mount -t debugfs debugfs /sys/kernel/debug; mount -t tracefs tracefs /sys/kernel/tracing; mount -t tracefs tracefs /sys/kernel/debug/tracing; exec python3 "$0"'

/** How many connections of the second process have which owner, where only the first one's connect() was seen, and no end of any. */
async function ownersOf(compares: boolean): Promise<Readonly<Record<string, number>>> {
  const loaded = await loadProbe('tcplife')
  const template = (loaded.templates['tracepoint'] ?? '')
    .replaceAll('{{forget $key}}', '')
    .replace('{{open $key $rport}}', 'if (pid == FIRST) { {{open $key $rport}} }')
    .replace('{{owner $who $key $rport}}', (all) => (compares ? all : '$who = $key;'))
  const probe = { ...loaded, templates: { ...loaded.templates, tracepoint: template } }
  const request = {
    filters: [],
    params: {},
    variant: 'tracepoint',
    backend: null,
    bufferBytes: null,
  }
  const { plan } = await planOnHost(probe, request, process.env)
  const program = plan.render({
    token: placeholderToken,
    childPid: null,
    ownPid: null,
    commandPid: null,
  })
  const words = ['--mount', '--propagation', 'private', 'sh', '-c', mounts]
  const output = execFileSync('unshare', [...words, `${root}scripts/lab/inside/missed.py`], {
    input: program,
    encoding: 'latin1',
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const [pids = '', ...lines] = output.split('\n')
  const [first, second] = pids.split(' ')
  const names = plan.layouts[0]?.closed.map(({ name }) => name) ?? []
  const records = lines.map((line) => line.split('\t').slice(1))
  const found: Record<string, number> = {}
  for (const record of records) {
    if (record[names.indexOf('laddr')]?.endsWith('127.0.77.2') !== true) continue
    const pid = record[names.indexOf('pid')] ?? ''
    const who =
      pid === '0' ? 'nobody' : pid === second ? 'second' : pid === first ? 'first' : 'server'
    found[who] = (found[who] ?? 0) + 1
  }
  return found
}

test(
  'whoever was learned for an earlier socket at the same address is never named',
  {
    timeout: 180_000,
  },
  async () => {
    expect(await ownersOf(true)).toEqual({ nobody: 300 })
    // Without the comparison: addresses were used again.
    const { first = 0, server = 0 } = await ownersOf(false)
    expect(first + server).toBeGreaterThan(0)
  },
)
