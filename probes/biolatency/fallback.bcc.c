// The task that starts a request is seen where it is queued; a worker of the kernel's may hand it to the disk.
struct request {
  u64 dev;
  u64 sector;
  u64 op;
};
struct begun {
  u64 began;
  u64 issued;
  u64 bytes;
  u64 pid;
  u64 cgroup;
  char comm[16];
};
BPF_HASH(requests, struct request, struct begun, {{keys}});

// Read, write, discard; F in front says that a flush comes first. A write of nothing is that flush alone: the kernel turns it into a
// request FF, which has another sector when it is complete, and completes the empty write after it.
static __always_inline void name(struct request *request, u64 dev, u64 sector, u64 sectors, u64 first, u64 second)
{
  u64 letter = first == 'F' ? second : first;
  request->dev = dev;
  request->sector = sector;
  request->op = 5;
  if (letter == 'R') request->op = 1;
  if (letter == 'W' && sectors != 0) request->op = 2;
  if (letter == 'D') request->op = 4;
  if (first == 'F' && (second == 'F' || sectors == 0)) {
    request->op = 3;
    request->sector = 0;
  }
}

static __always_inline void begin(struct begun *begun, u64 now)
{
  begun->began = now;
  begun->pid = bpf_get_current_pid_tgid() >> 32;
  begun->cgroup = bpf_get_current_cgroup_id();
  bpf_get_current_comm(begun->comm, sizeof(begun->comm));
}

static __always_inline int queued(struct request *request)
{
  if (requests.lookup(request) != 0) return 0;
  struct begun begun = {};
  begin(&begun, bpf_ktime_get_ns());
  {{kept requests.update(request, &begun)}}
  return 0;
}
{{when started}}

{{tracepoint block:block_io_start}}
{
  struct request request;
  name(&request, ctx->dev, ctx->sector, ctx->nr_sector, ctx->rwbs[0], ctx->rwbs[1]);
  return queued(&request);
}
{{end}}

{{tracepoint block:block_rq_insert}}
{
  struct request request;
  name(&request, ctx->dev, ctx->sector, ctx->nr_sector, ctx->rwbs[0], ctx->rwbs[1]);
  return queued(&request);
}

{{tracepoint block:block_rq_issue}}
{
  struct request request;
  name(&request, ctx->dev, ctx->sector, ctx->nr_sector, ctx->rwbs[0], ctx->rwbs[1]);
  u64 now = bpf_ktime_get_ns();
  struct begun *known = requests.lookup(&request);
  if (known != 0) {
    known->issued = now;
    known->bytes = ctx->bytes;
    return 0;
  }
  struct begun begun = {};
  begin(&begun, now);
  begun.issued = now;
  begun.bytes = ctx->bytes;
  {{kept requests.update(&request, &begun)}}
  return 0;
}

{{tracepoint block:block_rq_complete}}
{
  struct request request;
  name(&request, ctx->dev, ctx->sector, ctx->nr_sector, ctx->rwbs[0], ctx->rwbs[1]);
  struct begun *begun = requests.lookup(&request);
  if (begun == 0) return 0;
  u64 now = bpf_ktime_get_ns();
  u64 since = {{param queued}} == 1 ? begun->began : begun->issued;
  if (begun->issued != 0)
  {{emit io
    ktime_ns = now
    pid = begun->pid
    comm = kernel begun->comm
    cgroup = begun->cgroup
    dev = request.dev
    op = request.op
    rwbs = kernel ctx->rwbs
    bytes = begun->bytes
    sector = request.sector
    result = (s32)ctx->error
    duration_ns = now - since
  }}
  requests.delete(&request);
  return 0;
}
