import { describe, expect, it } from 'vitest'

import { parsePrivateTracefs } from '../../src/host/private-tracefs.ts'

const seen = `@lockdown none [integrity] confidentiality
@mounted
@kprobe_events
@functions sh: 11: cannot open available_filter_functions: Operation not permitted
@missing events/tcp/nope/format
events/tcp/tcp_probe/format:name: tcp_probe
events/tcp/tcp_probe/format:ID: 1
events/tcp/tcp_probe/format:
events/sock/x/format:name: x
`

describe('parsePrivateTracefs', () => {
  it('takes the texts apart by file and marks the missing ones', () => {
    const { formats } = parsePrivateTracefs(seen, '')

    expect([...formats]).toEqual([
      ['events/tcp/nope/format', null],
      ['events/tcp/tcp_probe/format', 'name: tcp_probe\nID: 1\n\n'],
      ['events/sock/x/format', 'name: x\n'],
    ])
  })

  it('keeps what else was seen', () => {
    expect(parsePrivateTracefs(seen, '')).toMatchObject({
      failure: null,
      functions: 'Operation not permitted',
      kprobeEvents: true,
      lockdown: 'none [integrity] confidentiality',
    })
  })

  it('tells why nothing was mounted', () => {
    const refused = 'mount: /sys/kernel/tracing: permission denied.\n'

    expect(parsePrivateTracefs(refused, '')).toMatchObject({
      failure: 'mount: /sys/kernel/tracing: permission denied.',
      functions: null,
    })
    expect(
      parsePrivateTracefs('', 'unshare: unshare failed: Operation not permitted\n').failure,
    ).toBe('unshare: unshare failed: Operation not permitted')
  })
})
