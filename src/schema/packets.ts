import { common } from './common.ts'
import type { FieldSpec } from './define.ts'

/** IP protocols that are met (IANA, Assigned Internet Protocol Numbers). */
export const ipProtocols = {
  0: 'HOPOPT',
  1: 'ICMP',
  2: 'IGMP',
  4: 'IPIP',
  6: 'TCP',
  17: 'UDP',
  33: 'DCCP',
  41: 'IPv6',
  43: 'IPv6-Route',
  44: 'IPv6-Frag',
  46: 'RSVP',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  58: 'ICMPv6',
  59: 'IPv6-NoNxt',
  60: 'IPv6-Opts',
  89: 'OSPF',
  103: 'PIM',
  112: 'VRRP',
  115: 'L2TP',
  132: 'SCTP',
  136: 'UDPLite',
  137: 'MPLS',
} as const

/** What a frame carries (IEEE 802 EtherTypes; include/uapi/linux/if_ether.h). */
const etherTypes = {
  0x0800: 'IPv4',
  0x0806: 'ARP',
  0x8035: 'RARP',
  0x8100: '802.1Q',
  0x86dd: 'IPv6',
  0x8809: 'SLOW',
  0x8847: 'MPLS',
  0x8863: 'PPPoE-DISC',
  0x8864: 'PPPoE',
  0x888e: 'EAPOL',
  0x88a8: '802.1ad',
  0x88cc: 'LLDP',
  0x88f7: 'PTP',
} as const

const { time, ktime_ns, cpu } = common

/** Fields of every packet, wherever it is seen. */
export const packet = {
  time,
  ktime_ns,
  cpu,
  interface: { kind: 'text', bytes: 15, doc: 'network interface, by its name when the run began' },
  family: {
    kind: 'family',
    of: 'saddr',
    nullable: true,
    doc: '4 or 6; null where there is no IP',
    heading: 'IP',
  },
  saddr: {
    kind: 'address',
    nullAs: '::',
    doc: 'source address; null where there is no IP, or the address is ::',
  },
  daddr: {
    kind: 'address',
    nullAs: '::',
    doc: 'destination address; null where there is no IP, or the address is ::',
  },
  sport: {
    kind: 'u16',
    nullAs: 0,
    doc: 'source port; null where there is none, as in a later fragment',
  },
  dport: { kind: 'u16', nullAs: 0, doc: 'destination port; null where there is none' },
} as const satisfies Record<string, FieldSpec>

/** Which way a packet goes. */
export const direction = {
  kind: 'enum',
  names: { 1: 'ingress', 2: 'egress' },
  doc: '`ingress` comes in, `egress` goes out',
  width: 7,
  heading: 'WAY',
} as const satisfies FieldSpec

/** Types of DNS records (IANA, DNS Resource Record Types). */
export const dnsTypes = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  12: 'PTR',
  13: 'HINFO',
  15: 'MX',
  16: 'TXT',
  28: 'AAAA',
  29: 'LOC',
  33: 'SRV',
  35: 'NAPTR',
  39: 'DNAME',
  43: 'DS',
  44: 'SSHFP',
  46: 'RRSIG',
  48: 'DNSKEY',
  52: 'TLSA',
  64: 'SVCB',
  65: 'HTTPS',
  251: 'IXFR',
  252: 'AXFR',
  255: 'ANY',
  256: 'URI',
  257: 'CAA',
} as const

/** What a packet is made of. */
export const content = {
  ethertype: { kind: 'enum', names: etherTypes, doc: 'what the frame carries', width: 9 },
  protocol: {
    kind: 'enum',
    names: ipProtocols,
    nullAs: 256,
    doc: 'IP protocol, of IPv6 that behind the extension headers; null where there is no IP',
    width: 8,
  },
  bytes: {
    kind: 'u64',
    unit: 'bytes',
    measure: true,
    doc: 'length of the packet as the kernel has it, with its Ethernet header where there is one',
    width: 9,
  },
} as const satisfies Record<string, FieldSpec>
