/*
 * Decoding beside what a user would write instead, all in one run: 2,000,000 records of 10 fields. The plain ways
 * get tab-separated lines of about 70 bytes; ours gets the same fields framed by the token.
 * Needs a build: npx tsc -p tsconfig.build.json. Arguments: --memory adds the run of ten million events.
 */
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import split2 from 'split2'
import { createDecoder } from '../../dist/src/wire/decoder.js'
import { layoutsOfProbe } from '../../dist/src/wire/layout.js'
import { common } from '../../dist/src/schema/common.js'

const token = '4b71375a7058326d'
const chunkBytes = 65_536

/** Where bytes go: they are written, and forgotten. */
const sink = Buffer.alloc(1_048_576)

/** Ten fields travel; `time` is derived from one of them. */
const events = {
  sample: {
    doc: 'what the benchmark decodes',
    fields: {
      time: common.time,
      ktime_ns: common.ktime_ns,
      pid: common.pid,
      tid: common.tid,
      cpu: common.cpu,
      uid: common.uid,
      comm: common.comm,
      raddr: { kind: 'address', doc: 'remote address' },
      lport: { kind: 'u16', doc: 'local port' },
      rport: { kind: 'u16', doc: 'remote port' },
      ret: { kind: 'i32', doc: 'return value' },
    },
    table: [],
  },
}

const comms = ['curl', 'nginx', 'postgres', 'kworker/u8:3', 'node', 'systemd-resolve'.slice(0, 15)]

/** Closed fields of record `n` in wire order, then the text. */
function fieldsOf(n) {
  const pid = 1_000_000 + (n % 31_000)
  return {
    closed: [
      12_345_678_901_234n + BigInt(n) * 1_357n,
      pid,
      pid + (n % 3),
      n % 8,
      n % 5 === 0 ? 0 : 1000,
      `192.168.${n % 31}.${1 + (n % 250)}`,
      32_768 + (n % 28_000),
      n % 3 === 0 ? 443 : 8080,
      n % 4 === 0 ? -115 : 0,
    ],
    comm: comms[n % comms.length],
  }
}

const framed = ({ closed, comm }) => `${token}0\t${closed.join('\t')}${token}\t${comm}${token}\n`
const plain = ({ closed, comm }) => `${closed.join('\t')}\t${comm}\n`

/** `count` records in chunks of a pipe's size; records cross chunk ends. */
function chunksOf(count, render) {
  const chunks = []
  let text = ''
  for (let n = 0; n < count; n++) {
    text += render(fieldsOf(n))
    if (text.length >= chunkBytes || n === count - 1) {
      const bytes = Buffer.from(text, 'latin1')
      for (let at = 0; at + chunkBytes <= bytes.length; at += chunkBytes) {
        chunks.push(bytes.subarray(at, at + chunkBytes))
      }
      text = text.slice(bytes.length - (bytes.length % chunkBytes))
    }
  }
  if (text.length > 0) chunks.push(Buffer.from(text, 'latin1'))
  return chunks
}

/** A decoder whose output only is counted: bytes of NDJSON, or fields of events. */
function counting(mode) {
  const seen = { events: 0, bytes: 0, faults: 0 }
  const decoder = createDecoder({
    token,
    events,
    layouts: layoutsOfProbe(events),
    clock: { offsetNs: 1_790_000_000_123_456_789n },
    mode,
    handlers: {
      event(event) {
        seen.events += 1
        seen.bytes += event.pid
      },
      lines(lines, _type, count) {
        seen.events += count
        seen.bytes += lines.copy(sink)
      },
      heartbeat() {},
      end() {},
      fault() {
        seen.faults += 1
      },
      other() {
        seen.faults += 1
      },
    },
  })
  return { seen, decoder }
}

async function decodeFramed(mode, chunks) {
  const { seen, decoder } = counting(mode)
  for (const chunk of chunks) decoder.push(chunk)
  decoder.end()
  if (seen.faults > 0) throw new Error(`${seen.faults} faults in the benchmark's own records`)
  return seen.events
}

/** What a user writes: split2, split, Number and, with `show`, JSON.stringify. */
async function decodePlain(show, chunks) {
  const seen = { events: 0, bytes: 0 }
  const stream = split2()
  stream.on('data', (line) => {
    const piece = line.split('\t')
    const event = {
      event: 'sample',
      ktime_ns: piece[0],
      pid: Number(piece[1]),
      tid: Number(piece[2]),
      cpu: Number(piece[3]),
      uid: Number(piece[4]),
      comm: piece[9],
      raddr: piece[5],
      lport: Number(piece[6]),
      rport: Number(piece[7]),
      ret: Number(piece[8]),
    }
    seen.events += 1
    seen.bytes += show ? sink.write(`${JSON.stringify(event)}\n`) : event.pid
  })
  for (const chunk of chunks) {
    if (!stream.write(chunk)) await once(stream, 'drain')
  }
  stream.end()
  await once(stream, 'end')
  return seen.events
}

/** The ways compared; `against` names the row whose speed is 1. */
const ways = [
  { name: 'split2 + split + JSON.stringify', run: (data) => decodePlain(true, data.plain) },
  {
    name: 'ebpf-run: framed text to NDJSON bytes',
    run: (data) => decodeFramed('ndjson', data.framed),
    against: 'split2 + split + JSON.stringify',
  },
  { name: 'split2 + split + object', run: (data) => decodePlain(false, data.plain) },
  {
    name: 'ebpf-run: framed text to typed objects',
    run: (data) => decodeFramed('object', data.framed),
    against: 'split2 + split + object',
  },
]

/**
 * Rows of {name, perSecond, ratio, spread}: events in a second of CPU time (all threads; what else the machine does
 * counts less that way), the median of `rounds` interleaved runs; its ratio to the plain way (null for the plain
 * ways); slowest minus fastest as a part of the median.
 */
export async function decodeBench({ count = 2_000_000, rounds = 5 } = {}) {
  const data = { framed: chunksOf(count, framed), plain: chunksOf(count, plain) }
  const times = new Map(ways.map((way) => [way.name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) {
      const start = process.cpuUsage()
      const seen = await way.run(data)
      const { user, system } = process.cpuUsage(start)
      times.get(way.name).push((user + system) / 1e6)
      if (seen !== count) throw new Error(`${way.name}: ${seen} of ${count} records`)
    }
  }
  const median = (name) => times.get(name).toSorted((a, b) => a - b)[Math.floor(rounds / 2)]
  return ways.map(({ name, against }) => ({
    name,
    perSecond: Math.round(count / median(name)),
    ratio: against ? median(against) / median(name) : null,
    spread: (Math.max(...times.get(name)) - Math.min(...times.get(name))) / median(name),
  }))
}

/** Resident bytes while `count` events go through the NDJSON path: {events, startBytes, maxBytes}. */
export async function memoryBench({ count = 10_000_000 } = {}) {
  const chunks = chunksOf(20_000, framed)
  const { seen, decoder } = counting('ndjson')
  const startBytes = process.memoryUsage.rss()
  let maxBytes = startBytes
  while (seen.events < count) {
    for (const chunk of chunks) decoder.push(chunk)
    maxBytes = Math.max(maxBytes, process.memoryUsage.rss())
  }
  decoder.end()
  return { events: seen.events, startBytes, maxBytes }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const million = (value) => `${(value / 1e6).toFixed(2)} M/s`
  console.log(
    `record: ${framed(fieldsOf(7)).length} bytes framed, ${plain(fieldsOf(7)).length} plain`,
  )
  if (process.argv.includes('--memory')) {
    const { events: seen, startBytes, maxBytes } = await memoryBench()
    const mib = (bytes) => `${Math.round(bytes / 1_048_576)} MiB`
    console.log(`${seen} events: resident ${mib(startBytes)} before, at most ${mib(maxBytes)}`)
  } else {
    for (const { name, perSecond, ratio, spread } of await decodeBench()) {
      const times = ratio === null ? '' : `${ratio.toFixed(2)}x`
      console.log(
        name.padEnd(42),
        million(perSecond).padStart(10),
        times.padStart(7),
        `spread ${Math.round(spread * 100)} %`,
      )
    }
  }
}
