// What the events of both back-ends are paired by, and where they may differ.

/** Fields that identify an event of a probe; events that have the same ones are paired in the order of time. */
export const keys = {
  biolatency: ['dev', 'op', 'sector'],
  dns: ['pid', 'tid', 'kind', 'host'],
  execsnoop: ['pid', 'ret'],
  exitsnoop: ['pid', 'kind'],
  killsnoop: ['pid', 'tid', 'kind', 'signal', 'tpid', 'ttid'],
  oomkill: ['tpid'],
  opensnoop: ['pid', 'tid', 'filename', 'flags'],
  retrans: ['laddr', 'lport', 'raddr', 'rport', 'kind'],
  runqlat: ['pid', 'tid'],
  syscount: ['pid', 'tid', 'syscall'],
  tcpaccept: ['laddr', 'lport', 'raddr', 'rport'],
  tcpcong: ['laddr', 'lport', 'raddr', 'rport', 'old_state', 'new_state'],
  tcpconnect: ['pid', 'laddr', 'lport', 'raddr', 'rport'],
  tcpconnlat: ['laddr', 'lport', 'raddr', 'rport'],
  tcpdrop: ['direction', 'laddr', 'lport', 'raddr', 'rport', 'tcp_flags'],
  tcplife: ['laddr', 'lport', 'raddr', 'rport'],
  tcpreset: ['direction', 'laddr', 'lport', 'raddr', 'rport'],
  tcprtt: ['laddr', 'lport', 'raddr', 'rport'],
  tcpstates: ['laddr', 'lport', 'raddr', 'rport', 'old_state', 'new_state'],
  tcpsynbl: ['laddr', 'lport', 'raddr', 'rport'],
  tcptop: ['tid', 'lport', 'rport', 'sent', 'received'],
  tcptracer: ['event', 'laddr', 'lport', 'raddr', 'rport'],
}

/**
 * Where the events of a pair may differ. `clocks`: each program reads the clock for itself, one after the other, and an emulator
 * may stand still in between. `names`: numbers that a run draws for itself; each of one run must stand for the same one of the other.
 * `lists`: bpftrace has room for fewer items than bcc; both tell how many there are, and the shorter list begins the longer one.
 */
export const exceptions = {
  clocks: {
    fields: ['time', 'ktime_ns', 'duration_ns', 'first_ns', 'first_sent_ns', 'first_received_ns'],
    ms: 500,
  },
  names: ['connection'],
  lists: { fields: ['argv'], least: 20 },
}

/** What some versions of bpftrace cannot read: 0.22 and 0.23 take such a text of a tracepoint for empty. */
const unread = { oomkill: { tracepoint: ['tcomm'] } }

/** What each variant cannot tell: null there, whatever the other says. */
export const untold = ({ name: probe, variants }) =>
  Object.fromEntries(
    variants.map(({ name, cannotTell }) => [
      name,
      [...Object.keys(cannotTell), ...(unread[probe]?.[name] ?? [])],
    ]),
  )
