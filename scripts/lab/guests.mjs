/**
 * The guests of the lab: one Debian release each, with the kernel, bpftrace and bcc which that release ships.
 * `kernel` and `bpftrace` say what to expect; what was really built is in the stamp that image.mjs writes.
 */
export const guests = [
  // bpftrace 0.11 includes linux/types.h for every tracepoint. In the guest it comes from the kernel's headers; on
  // this host's kernel (native.mjs), which has none in the guest, from linux-libc-dev.
  {
    name: 'debian11',
    suite: 'bullseye',
    kernel: '5.10',
    bpftrace: '0.11',
    cpus: 2,
    packages: ['linux-libc-dev'],
  },
  { name: 'debian12', suite: 'bookworm', kernel: '6.1', bpftrace: '0.17', cpus: 2 },
  { name: 'debian13', suite: 'trixie', kernel: '6.12', bpftrace: '0.23', cpus: 2 },
  // One CPU: Linux 7.2 patches its own code while it runs, which races in QEMU 7.2's emulator and panics with two.
  { name: 'sid', suite: 'sid', kernel: '7', bpftrace: '0.27', cpus: 1 },
]

/** The guest of this name; throws with the known names when there is none. */
export function findGuest(name) {
  const guest = guests.find((candidate) => candidate.name === name)
  if (!guest)
    throw new Error(
      `no guest "${name}": the guests are ${guests.map((known) => known.name).join(', ')}`,
    )
  return guest
}
