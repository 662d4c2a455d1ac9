// Also for what does not lie in one piece.
#define CONTEXT struct __sk_buff
#define load(ctx, base, offset, to, size) bpf_skb_load_bytes_relative(ctx, offset, to, size, base)

{{include ../packets.bcc.c}}

#define INGRESS 1
#define EGRESS 2
// Whatever else is attached goes on as if nobody had looked.
#define GO_ON -1

static __always_inline int seen(struct __sk_buff *ctx, u64 direction)
{
  {{interface place ctx->ifindex}}
  if (place == 0)
    return GO_ON;
  struct packet packet = {};
  read_packet(ctx, place->ethernet, bpf_ntohs(ctx->protocol), &packet);
  {{emit packet
    ktime_ns = bpf_ktime_get_ns()
    cpu = bpf_get_smp_processor_id()
    interface = bytes place->name
    direction = direction
    ethertype = packet.ethertype
    protocol = packet.protocol
    saddr = raw packet.saddr
    daddr = raw packet.daddr
    sport = packet.sport
    dport = packet.dport
    bytes = ctx->len
  }}
  return GO_ON;
}
{{when link}}

{{tcx ingress}}
{ return seen(ctx, INGRESS); }

{{tcx egress}}
{ return seen(ctx, EGRESS); }
{{else}}

{{tc ingress}}
{ return seen(ctx, INGRESS); }

{{tc egress}}
{ return seen(ctx, EGRESS); }
{{end}}
