import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import retrans from '../../probes/retrans/probe.ts'
import type { AnyEvent } from '../../src/schema/define.ts'
import { followOwners, type OwnersByProc } from '../../src/session/owners.ts'
import { readHeldSockets } from '../../src/session/proc-sockets.ts'

vi.setConfig({ testTimeout: 60_000 })

const variant = retrans.variants[0]
const plan = { probe: retrans, variant, summary: null, filters: [] }
const facts = { hostPidNamespace: { is: 'yes', evidence: '' } } as const
const kernelNow = () => process.hrtime.bigint()

/** Another process, connected to a server of ours. */
let server: Server
let client: ChildProcess
let accepted: Socket

const program = `
const socket = require('node:net').connect(process.argv[1], '127.0.0.1')
process.stdin.once('data', () => { socket.resetAndDestroy(); process.stdout.write('closed') })
`

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  client = spawn(process.execPath, ['-e', program, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  ;[accepted] = (await once(server, 'connection')) as [Socket]
  accepted.on('error', () => {})
})

afterEach(async () => {
  client.kill('SIGKILL')
  accepted.destroy()
  server.close()
  await once(server, 'close')
})

/** Inode of the client's socket, by the kernel's own table. */
function inodeOfClient(): number {
  const port = accepted.remotePort?.toString(16).toUpperCase().padStart(4, '0')
  const line = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .find((each) => each.trim().split(/\s+/)[1]?.endsWith(`:${port}`))
  return Number(line?.trim().split(/\s+/)[9])
}

const eventOf = (inode: number, ktime = kernelNow(), pid: number | null = null): AnyEvent => ({
  event: 'retransmit',
  ktime_ns: String(ktime),
  pid,
  inode,
})

/** After a look at all processes. */
async function looked(): Promise<OwnersByProc> {
  const owners = followOwners(plan, facts, kernelNow)
  if (owners === null) throw new Error('no owners')
  owners.look()
  await vi.waitFor(() => expect(owners.figures().sockets).toBeGreaterThan(0), 20_000)
  return owners
}

describe('owners by /proc', () => {
  it('names the process that alone holds the socket', async () => {
    const owners = await looked()

    expect(owners.ownerOf(eventOf(inodeOfClient()))).toMatchObject({
      pid: client.pid,
      uid: process.getuid?.(),
      comm: readFileSync(`/proc/${client.pid}/comm`, 'latin1').trim(),
    })
    expect(owners.figures()).toMatchObject({ joined: 1, left_out: 0 })
  })

  it('names nobody for an event before the look', async () => {
    const before = kernelNow()
    const owners = await looked()

    expect(owners.ownerOf(eventOf(inodeOfClient(), before))).toBeNull()
  })

  it('names nobody when two processes hold the socket', async () => {
    const other = spawn('sleep', ['60'], { stdio: [accepted, 'ignore', 'ignore'] })
    const owners = await looked()
    const [inode] = await inodesHeldBy(other.pid)

    expect(inode).toBeDefined()
    expect(owners.ownerOf(eventOf(inode ?? 0))).toBeNull()
    other.kill('SIGKILL')
  })

  it('names nobody when the process does not hold it any more', async () => {
    const inode = inodeOfClient()
    const owners = await looked()
    client.stdin?.write('x')
    if (client.stdout !== null) await once(client.stdout, 'data')

    expect(owners.ownerOf(eventOf(inode))).toBeNull()
  })

  it('names nobody when the process is gone', async () => {
    const inode = inodeOfClient()
    const owners = await looked()
    client.kill('SIGKILL')
    await once(client, 'exit')

    expect(owners.ownerOf(eventOf(inode))).toBeNull()
  })

  it("leaves an owner alone that the kernel's side knows", async () => {
    const owners = await looked()

    expect(owners.ownerOf(eventOf(inodeOfClient(), kernelNow(), 1))).toBeNull()
  })

  it.each([
    ['a probe of tasks', { ...plan, probe: { ...retrans, owner: 'task' as const } }, facts],
    ['groups', { ...plan, summary: { groups: [], histogram: null, intervalMs: null } }, facts],
    [
      'a command that is followed',
      {
        ...plan,
        filters: [
          {
            filter: { by: 'command', flag: 'command', field: 'pid' } as const,
            applied: 'both' as const,
          },
        ],
      },
      facts,
    ],
    ['another pid namespace', plan, { hostPidNamespace: { is: 'no', evidence: '' } as const }],
  ])('does not look for %s', (_, otherPlan, otherFacts) => {
    expect(followOwners(otherPlan, otherFacts, kernelNow)).toBeNull()
  })
})

it('keeps no more sockets than it may, and counts the others', async () => {
  const all = await readHeldSockets(100_000)
  const few = await readHeldSockets(1)

  expect(few.holders.size).toBe(1)
  expect(few.leftOut).toBeGreaterThan(0)
  expect(all.holders.size).toBeGreaterThan(1)
})

/** Inodes of sockets that stand under standard input of a process. */
async function inodesHeldBy(pid: number | undefined): Promise<readonly number[]> {
  const { holders } = await readHeldSockets(100_000)
  const { readlinkSync } = await import('node:fs')
  const link = readlinkSync(`/proc/${pid}/fd/0`)
  return [...holders.keys()].filter((inode) => link === `socket:[${inode}]`)
}
