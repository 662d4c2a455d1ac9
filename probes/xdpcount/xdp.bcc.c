#define CONTEXT struct xdp_md

// All offsets count from the beginning of the packet. The mask is for the verifier, which does not know the test before it any more.
static __always_inline int load(struct xdp_md *ctx, u64 base, u64 offset, void *to, u64 size)
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

// A bare packet begins with the version of IP.
static __always_inline u64 bare_type(struct xdp_md *ctx)
{
  u8 first = 0;
  load(ctx, BPF_HDR_START_NET, 0, &first, sizeof(first));
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
  read_packet(ctx, place->ethernet, bare_type(ctx), &packet);
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
