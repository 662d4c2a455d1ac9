// Reads the headers of a packet. What includes this has declared CONTEXT, the type of ctx, and load(ctx, base, offset, to, size),
// which copies bytes that lie so far behind the header that base names, and returns 0 when they are there.

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_QINQ 0x88a8
#define NO_PROTOCOL 256

struct packet {
  u32 saddr[4];
  u32 daddr[4];
  u64 ethertype;
  u64 protocol;
  // The header behind those of IP, where load finds it; 0 where that is not here.
  u64 base;
  u64 offset;
  u64 sport;
  u64 dport;
};

struct ipv4 {
  u8 version;
  u8 service;
  u16 length;
  u16 id;
  u16 fragment;
  u8 hops;
  u8 protocol;
  u16 checksum;
  u32 saddr;
  u32 daddr;
};

struct ipv6 {
  u32 version;
  u16 length;
  u8 next;
  u8 hops;
  u32 saddr[4];
  u32 daddr[4];
};

static __always_inline void read_ipv4(CONTEXT *ctx, u64 base, u64 offset, struct packet *packet)
{
  struct ipv4 ip = {};
  if (load(ctx, base, offset, &ip, sizeof(ip)) != 0)
    return;
  packet->saddr[2] = bpf_htonl(0xffff);
  packet->saddr[3] = ip.saddr;
  packet->daddr[2] = bpf_htonl(0xffff);
  packet->daddr[3] = ip.daddr;
  packet->protocol = ip.protocol;
  // A later fragment has no header of what it carries.
  if ((ip.fragment & bpf_htons(0x1fff)) == 0)
    packet->offset = offset + (ip.version & 15) * 4;
}

static __always_inline void read_ipv6(CONTEXT *ctx, u64 base, u64 offset, struct packet *packet)
{
  struct ipv6 ip = {};
  if (load(ctx, base, offset, &ip, sizeof(ip)) != 0)
    return;
  __builtin_memcpy(packet->saddr, ip.saddr, 16);
  __builtin_memcpy(packet->daddr, ip.daddr, 16);
  u64 next = ip.next;
  u64 whole = 1;
  offset += sizeof(ip);
  // Hop-by-hop options, routing, fragment, authentication, destination options: RFC 8200 has each of them once.
#pragma unroll
  for (int header = 0; header < 6; header++) {
    u8 start[4] = {};
    if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
      break;
    if (load(ctx, base, offset, start, sizeof(start)) != 0) {
      whole = 0;
      break;
    }
    if (next == 44) {
      if (start[2] != 0 || (start[3] & 0xf8) != 0)
        whole = 0;
      offset += 8;
    } else if (next == 51)
      offset += (start[1] + 2) * 4;
    else
      offset += (start[1] + 1) * 8;
    next = start[0];
  }
  packet->protocol = next;
  if (whole)
    packet->offset = offset;
}

// A packet with an Ethernet header says what it carries; a bare one is of this type.
static __always_inline void read_packet(CONTEXT *ctx, u64 has_ethernet, u64 bare, struct packet *packet)
{
  u64 base = has_ethernet ? BPF_HDR_START_MAC : BPF_HDR_START_NET;
  u64 offset = 0;
  u64 ethertype = bare;
  if (has_ethernet) {
    u16 type = 0;
    load(ctx, base, 12, &type, sizeof(type));
    ethertype = bpf_ntohs(type);
    offset = 14;
  }
  packet->base = base;
  packet->protocol = NO_PROTOCOL;
#pragma unroll
  for (int tag = 0; tag < 2; tag++) {
    u16 inner[2] = {};
    if (ethertype != ETHERTYPE_VLAN && ethertype != ETHERTYPE_QINQ)
      break;
    if (load(ctx, base, offset, inner, sizeof(inner)) != 0)
      break;
    ethertype = bpf_ntohs(inner[1]);
    offset += 4;
  }
  packet->ethertype = ethertype;
  if (ethertype == ETHERTYPE_IPV4)
    read_ipv4(ctx, base, offset, packet);
  else if (ethertype == ETHERTYPE_IPV6)
    read_ipv6(ctx, base, offset, packet);
  u64 protocol = packet->protocol;
  u16 ports[2] = {};
  // TCP, UDP, DCCP, SCTP, UDP-Lite begin with the ports.
  if (packet->offset == 0 || (protocol != 6 && protocol != 17 && protocol != 33 && protocol != 132 && protocol != 136))
    return;
  if (load(ctx, base, packet->offset, ports, sizeof(ports)) != 0)
    return;
  packet->sport = bpf_ntohs(ports[0]);
  packet->dport = bpf_ntohs(ports[1]);
}
