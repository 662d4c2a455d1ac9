// Also for what does not lie in one piece.
#define CONTEXT struct __sk_buff
#define load(ctx, base, offset, to, size) bpf_skb_load_bytes_relative(ctx, offset, to, size, base)

{{include ../packets.bcc.c}}

#define INGRESS 1
#define EGRESS 2
#define OUTGOING 4
#define SYN 0x02
#define ACK 0x10
#define DNS_PORT 53
#define NO_TYPE 65536
// Bytes of a name at most (RFC 1035, 2.3.4), and of what follows it: type and class.
#define NAME_BYTES 255
#define REST_BYTES 4

// A question of DNS as it lies in the packet, with room for what the verifier cannot rule out. What reading the name keeps stands in
// memory as well: of that the verifier knows no values, and so does not follow the loop once for each of them.
struct question {
  u8 bytes[1024];
  volatile u64 left;
  volatile u64 is_plain;
  volatile u64 has_end;
  volatile u64 end;
};
BPF_PERCPU_ARRAY(questions, struct question, 1);

// Turns a name into text where it lies, behind its first byte: the length before each label becomes a dot. The text is empty where
// no plain one can say the name: it does not end, is compressed, or has a dot or a NUL within a label. Returns the type.
static __always_inline u64 read_name(struct question *question, u64 size)
{
  u8 *bytes = question->bytes;
  question->left = 0;
  question->is_plain = 1;
  question->has_end = 0;
  question->end = 0;
#pragma clang loop unroll(disable)
  for (u64 at = 0; at < NAME_BYTES; at++) {
    u64 byte = bytes[at];
    u64 left = question->left;
    if (left > 0) {
      question->left = left - 1;
      if (byte == 0 || byte == '.')
        question->is_plain = 0;
    } else if (byte == 0) {
      question->has_end = 1;
      question->end = at;
      break;
    } else if (byte > 63)
      break;
    else {
      question->left = byte;
      bytes[at] = '.';
    }
  }
  u64 end = question->end & 255;
  // Behind the packet's end there are zeros of ours. Nothing is added to `end` for the comparison: the verifier of 6.12 takes what is
  // tied to such a sum for no offset any more.
  u64 names = size > REST_BYTES ? size - REST_BYTES : 0;
  u64 has_end = question->has_end && end < names;
  u64 type = (u64)bytes[end + 1] << 8 | bytes[end + 2];
  if (!has_end || !question->is_plain)
    bytes[1] = 0;
  else if (end == 0) {
    // The root.
    bytes[1] = '.';
    bytes[2] = 0;
  }
  return has_end ? type : NO_TYPE;
}

{{socket}}
{
  {{interface place ctx->ifindex}}
  if (place == 0)
    return 0;
  struct packet packet = {};
  read_packet(ctx, place->ethernet, bpf_ntohs(ctx->protocol), &packet);
  u64 direction = ctx->pkt_type == OUTGOING ? EGRESS : INGRESS;
  u64 offset = packet.offset;
  if (offset == 0)
    return 0;
  if (packet.protocol == 6) {
    u8 flags = 0;
    if (load(ctx, packet.base, offset + 13, &flags, sizeof(flags)) != 0 || !(flags & SYN))
      return 0;
    {{emit handshake
      ktime_ns = bpf_ktime_get_ns()
      cpu = bpf_get_smp_processor_id()
      interface = bytes place->name
      direction = direction
      saddr = raw packet.saddr
      daddr = raw packet.daddr
      sport = packet.sport
      dport = packet.dport
      kind = (flags & ACK) ? 2 : 1
    }}
    return 0;
  }
  if (packet.protocol != 17 || packet.dport != DNS_PORT)
    return 0;
  // The length in the header of UDP, then the header of DNS: id, flags, how many questions.
  u16 length = 0;
  u16 head[3] = {};
  int zero = 0;
  struct question *question = questions.lookup(&zero);
  if (question == 0 || load(ctx, packet.base, offset + 4, &length, sizeof(length)) != 0)
    return 0;
  if (load(ctx, packet.base, offset + 8, head, sizeof(head)) != 0)
    return 0;
  // A query: neither an answer (QR) nor of another kind (OPCODE).
  if ((head[1] & bpf_htons(0xf800)) != 0 || head[2] == 0)
    return 0;
  u64 size = bpf_ntohs(length);
  if (size < 20 + 1)
    return 0;
  size -= 20;
  if (size > NAME_BYTES + REST_BYTES)
    size = NAME_BYTES + REST_BYTES;
  __builtin_memset(question->bytes, 0, NAME_BYTES + REST_BYTES + 1);
  // For the verifier, which does not know the tests before it any more: a size that is at least one, and in bounds.
  u64 less = size - 1;
  asm volatile("%0 &= 511" : "+r"(less));
  if (load(ctx, packet.base, offset + 20, question->bytes, less + 1) != 0)
    return 0;
  u64 type = read_name(question, size);
  {{emit dns
    ktime_ns = bpf_ktime_get_ns()
    cpu = bpf_get_smp_processor_id()
    interface = bytes place->name
    direction = direction
    saddr = raw packet.saddr
    daddr = raw packet.daddr
    sport = packet.sport
    dport = packet.dport
    id = bpf_ntohs(head[0])
    name = kernel question->bytes + 1
    type = type
  }}
  return 0;
}
