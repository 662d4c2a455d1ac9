import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const root = new URL('../../', import.meta.url).pathname
const {
  overheadMarkdown: page,
}: { overheadMarkdown: (results: unknown, kernels: unknown) => string } = await import(
  `${root}scripts/lab/overhead.mjs`
)

const result = {
  guest: 'one',
  kernel: '5.10',
  versions: {},
  rows: [
    {
      probe: 'tcpaccept',
      variant: 'kprobe',
      tool: '/usr/sbin/tcpaccept-bpfcc',
      count: 10,
      ours: { ns: 1000, runs: 10 },
      theirs: { ns: 100, runs: 10 },
    },
  ],
}
const beside = (text: string, kernel = '5.10') => [
  { guest: 'one', kernel, rows: [{ name: 'tcpaccept-beside', bcc: { text } }] },
]

describe('the page of overhead', () => {
  it.each([
    ['saw 19 of our 19', '| 10.00 |'],
    ['saw 10 of our 20', '| 10.00 |'],
    ['saw 0 of our 19: its version is blind', '| none: it saw 0 of 19 |'],
    ['saw 9 of our 20', '| none: it saw 9 of 20 |'],
    ['did not start: no such file', '| 10.00 |'],
  ])("has a ratio where bcc's tool %s", (text, cell) => {
    expect(page([result], beside(text))).toContain(cell)
  })

  it('takes nothing from another kernel, nor where nobody counted', () => {
    expect(page([result], beside('saw 0 of our 19', '6.1'))).toContain('| 10.00 |')
    expect(page([result], [])).toContain('| 10.00 |')
  })

  it('in docs is that of the data in docs', () => {
    const read = (name: string) => readFileSync(`${root}docs/${name}`, 'utf8')

    expect(read('overhead.md')).toBe(
      page(JSON.parse(read('overhead.json')), JSON.parse(read('kernels.json'))),
    )
  })
})
