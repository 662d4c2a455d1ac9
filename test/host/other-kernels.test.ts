import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

import { knownFormats } from '../../src/host/known-formats.ts'
import { otherKernels, otherKernelsText } from '../../src/host/other-kernels.ts'
import { parseFormat } from '../../src/host/tracepoint-format.ts'

const formats = new URL('../../fixtures/host/formats/', import.meta.url)
const othersOf = (kernel: string, name: string, release: string) =>
  otherKernels(
    knownFormats[name] ?? [],
    parseFormat(readFileSync(new URL(`${kernel}/${name.replace(':', '/')}`, formats), 'latin1')),
    release,
  )

describe('otherKernels', () => {
  it('says which fields other kernels lack', () => {
    const others = othersOf('6.18', 'tcp:tcp_retransmit_skb', '6.18.44-fc-v782')

    expect(otherKernelsText(others)).toBe(
      '4.18 has no state, family, err; 5.10 has no family, err; 6.1, 6.12 have no err; 7.2 has the same',
    )
    expect(others[1]).toEqual({
      kernel: '5.10',
      missing: ['family', 'err'],
      added: [],
      changed: [],
    })
  })

  it('says which fields other kernels have besides, and with another type', () => {
    const others = othersOf('6.1', 'skb:kfree_skb', '6.1.0-50-amd64')

    expect(others.map(({ kernel }) => kernel)).toEqual(['5.10', '6.12', '6.18', '7.2'])
    expect(others[0]?.missing).toEqual(['reason'])
    expect(others[1]?.added).toEqual(['rx_sk'])
    const newer = othersOf('6.12', 'skb:kfree_skb', '6.12.117+deb13-amd64')
    expect(newer.at(-1)?.changed).toEqual([
      { name: 'rx_sk', here: 'void *', there: 'const void *' },
    ])
  })

  it('takes 6.1 and 6.18 for two kernels', () => {
    const kernels = othersOf('6.1', 'tcp:tcp_retransmit_skb', '6.1').map(({ kernel }) => kernel)

    expect(kernels).toEqual(['4.18', '5.10', '6.12', '6.18', '7.2'])
  })

  it('knows every field as the format file of the 6.18 kernel has it', () => {
    for (const name of Object.keys(knownFormats)) {
      const same = othersOf('6.18', name, '0').find(({ kernel }) => kernel === '6.18')
      expect(same).toEqual({ kernel: '6.18', missing: [], added: [], changed: [] })
    }
  })
})
