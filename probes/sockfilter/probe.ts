import { defineProbe } from '../../src/schema/define.ts'
import { direction, dnsTypes, packet } from '../../src/schema/packets.ts'

const fields = { ...packet, direction } as const

export default defineProbe({
  name: 'sockfilter',
  summary: 'DNS queries and TCP handshakes on an interface, seen by a socket filter',
  example: 'ebpf-run sockfilter --interface eth0',
  owner: 'task',
  onInterfaces: true,
  events: {
    dns: {
      doc: 'one DNS query over UDP to port 53',
      fields: {
        ...fields,
        id: { kind: 'u16', doc: 'number of the query' },
        name: {
          kind: 'text',
          bytes: 253,
          emptyIsNull: true,
          doc: 'name that is asked for, `.` for the root; null where no plain text can say it: it has no end, is compressed, or has a dot or a NUL within a label',
          width: 16,
        },
        type: {
          kind: 'enum',
          names: dnsTypes,
          nullAs: 65_536,
          doc: 'type of record that is asked for; null where the name has no end',
          width: 5,
        },
      },
      table: ['time', 'saddr', 'name'],
    },
    handshake: {
      doc: 'one SYN or SYN-ACK of TCP',
      fields: {
        ...fields,
        kind: {
          kind: 'enum',
          names: { 1: 'syn', 2: 'syn-ack' },
          doc: 'the first packet of a connection, or the answer to it',
          width: 7,
        },
      },
      table: ['time', 'saddr', 'daddr', 'kind'],
    },
  },
  variants: [
    {
      name: 'socket',
      backend: 'bcc',
      template: 'socket.bcc.c',
      needs: [{ bcc: '>=0.18.0' }, { hook: 'socket filter' }],
      cannotTell: {},
      misses:
        'DNS over TCP, TLS or HTTPS and on other ports, and what XDP or tc keep of what comes in',
      cost: 'a program a packet of the interface',
    },
  ],
})
