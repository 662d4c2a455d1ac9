import { test } from 'vitest'
import { createDecoder } from '../../src/wire/decoder.ts'
import { layoutsOfProbe } from '../../src/wire/layout.ts'
import exec from '../../probes/execsnoop/probe.ts'
test('x', () => {
  const layouts = layoutsOfProbe(exec.events, {})
  console.log(layouts.map(l => [l.code, l.part, l.closed.map(c=>c.name).join(), l.texts.map(c=>c.name).join()]))
  for (const mode of ['object','ndjson'] as const) {
  const d = createDecoder({ token: 'Tok3nTok3n', events: exec.events, layouts, mode, clock: { offsetNs: 1790000000123456789n }, handlers: {
    event: (e) => console.log(e), lines: (...a) => console.log(a), heartbeat: (k) => console.log('hb', k), end: (k) => console.log('end', k),
    fault: (t, r) => console.log('fault', t, r), other: (l) => console.log('other', l) } })
  const T = 'Tok3nTok3n'
  d.push(Buffer.from(`Attaching 3 probes...\n${T}8\t123${T}\n${T}1\t7\t0${T}\tls${T}\n${T}1\t7\t1${T}\t-l\n\\${T}\n${T}0\t12345678901234\t5\t7\t0\t1000\t99999999999\t-1\t3\t-2\t2${T}\tba\xffsh\\${T}\t/bin/ls${T}\n@n_${T}_0_0: 1\n@z_${T}: 1\n`, 'latin1'))
  d.end()
  }
})
