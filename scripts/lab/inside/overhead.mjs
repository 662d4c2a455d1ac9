// What our programs and those of bcc's own tools cost the kernel for the same traffic: both are attached at once, and the kernel
// measures each program. Usage: node overhead.mjs REQUEST.json, which holds {cli, out, probes, cells}.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compareWithBcc, toolCommand } from './bcc.mjs'
import { programsBelow, spent } from './programs.mjs'
import { runWorkload, startRun } from './start.mjs'

/** How often a workload runs, each time on ports of its own. */
const rounds = 5
const portsOfRound = 200
const firstPorts = { tcpaccept: 24_000, tcpconnect: 21_000, tcpstates: 22_000 }

async function traffic({ probes }, cell) {
  const lines = []
  for (let round = 0; round < rounds; round += 1) {
    const first = firstPorts[cell.probe]
    const ports = first === undefined ? [] : [String(first + round * portsOfRound)]
    lines.push(...(await runWorkload(probes, cell, ports)))
  }
  // Until all that was sent has been closed and said.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  return lines
}

async function measure(request, cell) {
  const run = await startRun(request, cell)
  try {
    if (!run.isAttached) throw new Error(run.errors().trim().split('\n').slice(0, 3).join(' | '))
    let window = null
    const bcc = await compareWithBcc(cell.probe, async (tool) => {
      const look = () => [programsBelow(run.child.pid), programsBelow(tool)]
      const before = look()
      const from = process.hrtime.bigint()
      const lines = await traffic(request, cell)
      const to = process.hrtime.bigint()
      const after = look()
      window = { from, to, spent: before.map((programs, at) => spent(programs, after[at])) }
      return lines
    })
    run.child.kill('SIGINT')
    await run.ended
    const verdict = bcc.judge(bcc.lines, [])
    if (verdict.isMissing) throw new Error(`${toolCommand(cell.probe)} ${verdict.text}`)
    const summary = JSON.parse(readFileSync(run.files.summary, 'utf8'))
    const isInside = ({ ktime_ns: at }) => BigInt(at) >= window.from && BigInt(at) <= window.to
    const [ours, theirs] = window.spent
    return {
      ...cell,
      variant: summary.variant,
      tool: toolCommand(cell.probe),
      count: run.events.filter(isInside).length,
      ours,
      theirs,
    }
  } catch (error) {
    run.child.kill('SIGKILL')
    return { ...cell, error: error.message }
  }
}

const request = JSON.parse(readFileSync(process.argv[2], 'utf8'))
mkdirSync(request.out, { recursive: true })
// In the kernel of a guest, which nobody else uses.
writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '1')
for (const cell of request.cells) {
  const row = await measure(request, cell)
  writeFileSync(join(request.out, `${cell.name}.cell.json`), JSON.stringify(row))
  console.log(`cell ${row.name}: ${row.error ?? JSON.stringify(row)}`)
}
