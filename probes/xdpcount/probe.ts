import { defineProbe } from '../../src/schema/define.ts'
import { content, packet } from '../../src/schema/packets.ts'

const common = {
  backend: 'bcc',
  template: 'xdp.bcc.c',
  needs: [{ bcc: '>=0.18.0' }, { hook: 'xdp' }],
  cannotTell: {},
  misses: 'what is sent, what a network card merges or keeps before the kernel has it',
} as const

export default defineProbe({
  name: 'xdpcount',
  summary: 'packets received, at XDP: packets and bytes by protocol, source and interface',
  example: 'ebpf-run xdpcount --interface eth0',
  owner: 'task',
  onInterfaces: true,
  aggregate: { by: ['interface', 'protocol', 'saddr'], intervalMs: 1_000 },
  events: {
    packet: {
      doc: 'one packet that came in, before the kernel did anything with it',
      fields: { ...packet, ...content },
      table: ['time', 'interface', 'protocol', 'saddr', 'dport', 'bytes'],
    },
  },
  variants: [
    {
      ...common,
      name: 'xdp',
      options: { generic: false },
      cost: 'a program a packet: in the driver of the network card where it can run one, else in the kernel behind it; a driver may restart its card when a program comes or goes',
    },
    {
      ...common,
      name: 'generic',
      options: { generic: true },
      cost: 'a program a packet in the kernel, which no longer merges packets on that interface (GRO), and copies those that lie in pieces',
    },
  ],
})
