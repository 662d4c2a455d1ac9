import { defineProbe } from '../../src/schema/define.ts'
import { content, direction, packet } from '../../src/schema/packets.ts'

const common = {
  backend: 'bcc',
  template: 'tc.bcc.c',
  cannotTell: {},
  cost: 'a program a packet',
} as const

export default defineProbe({
  name: 'tccount',
  summary: 'packets received and sent, at tc: packets and bytes by protocol, source and interface',
  example: 'ebpf-run tccount --interface eth0',
  owner: 'task',
  onInterfaces: true,
  aggregate: { by: ['interface', 'direction', 'protocol', 'saddr'], intervalMs: 1_000 },
  events: {
    packet: {
      doc: 'one packet that came in or goes out',
      fields: { ...packet, direction, ...content },
      table: ['time', 'interface', 'direction', 'protocol', 'saddr', 'dport', 'bytes'],
    },
  },
  variants: [
    {
      ...common,
      name: 'tcx',
      needs: [{ bcc: '>=0.18.0' }, { hook: 'tcx' }],
      options: { link: true },
      misses: 'what XDP keeps, and what a program takes that was put before ours later',
    },
    {
      ...common,
      name: 'clsact',
      needs: [{ bcc: '>=0.18.0' }, { hook: 'clsact' }],
      options: { link: false },
      misses: 'what XDP keeps, and what a filter takes that has a lower priority number than ours',
    },
  ],
})
