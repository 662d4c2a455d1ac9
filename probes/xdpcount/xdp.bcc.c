#define CONTEXT struct xdp_md

// Offsets count from the beginning of the packet. The mask is for the verifier, which does not know the test before it any more.
static __always_inline int load(struct xdp_md *ctx, u64 offset, void *to, u64 size)
{
  void *start = (void *)(long)ctx->data;
  void *end = (void *)(long)ctx->data_end;
  if (offset > 511)
    return -1;
  asm volatile("%0 &= 511" : "+r"(offset));
  void *from = start + offset;
  if (from + size > end)
    return -1;
  __builtin_memcpy(to, from, size);
  return 0;
}

{{include ../packets.bcc.c}}

// Of a frame by its Ethernet header, of a bare packet by the version of IP that it begins with.
static __always_inline u64 ethertype_of(struct xdp_md *ctx, u64 has_ethernet)
{
  if (has_ethernet) {
    u16 type = 0;
    return load(ctx, 12, &type, sizeof(type)) == 0 ? bpf_ntohs(type) : 0;
  }
  u8 first = 0;
  load(ctx, 0, &first, sizeof(first));
  return (first >> 4) == 4 ? ETHERTYPE_IPV4 : (first >> 4) == 6 ? ETHERTYPE_IPV6 : 0;
}

{{when generic}}
{{xdp generic}}
{{else}}
{{xdp native,generic}}
{{end}}
{
  {{interface place ctx->ingress_ifindex}}
  if (place == 0)
    return XDP_PASS;
  struct packet packet = {};
  u64 has_ethernet = place->ethernet;
  read_packet(ctx, has_ethernet ? 14 : 0, ethertype_of(ctx, has_ethernet), &packet);
  {{emit packet
    ktime_ns = bpf_ktime_get_ns()
    cpu = bpf_get_smp_processor_id()
    interface = bytes place->name
    ethertype = packet.ethertype
    protocol = packet.protocol
    saddr = raw packet.saddr
    daddr = raw packet.daddr
    sport = packet.sport
    dport = packet.dport
    bytes = ctx->data_end - ctx->data
  }}
  return XDP_PASS;
}
