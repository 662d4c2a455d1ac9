import { describe, expect, it } from 'vitest'
import { parseBoundNetworks } from '../../src/host/mounts.ts'
import { parseTcpCounters } from '../../src/host/tcp-counters.ts'

const snmp = `Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm MaxConn OutSegs RetransSegs InErrs
Tcp: 1 -1 2311 7 0
`
const netstat = `TcpExt: SyncookiesSent TCPRetransFail TCPRcvCoalesce
TcpExt: 0 3 99
IpExt: InNoRoutes
IpExt: 0
`

describe('TCP counters', () => {
  it('are read by their names', () => {
    expect(parseTcpCounters(snmp + netstat)).toEqual({ retransmitted: 7, failed: 3, sent: 2311 })
  })

  it.each([
    ['nothing', ''],
    ['one file alone', snmp],
    ['names without values', snmp + netstat.split('\n')[0]],
  ])('are null for %s', (_, text) => {
    expect(parseTcpCounters(text)).toBeNull()
  })
})

describe('network namespaces that are mounted somewhere', () => {
  it('are found in mountinfo, and nothing else is', () => {
    const text = String.raw`22 27 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw
41 65 0:4 net:[4026532176] /run/netns/blue rw shared:2 - nsfs nsfs rw
42 65 0:4 net:[4026532177] /run/netns/with\040space rw - nsfs nsfs rw
43 65 0:4 mnt:[4026532178] /run/snapd/ns/x.mnt rw - nsfs nsfs rw
44 65 8:1 /net:[5] /mnt rw - ext4 /dev/sda1 rw
`
    expect(parseBoundNetworks(text)).toEqual(
      new Map([
        [4026532176, '/run/netns/blue'],
        [4026532177, '/run/netns/with space'],
      ]),
    )
  })
})
