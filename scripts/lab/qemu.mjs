import { guestPaths, toolsDisk } from './paths.mjs'

/** The arguments that share a folder of the host with the guest over 9p, under `tag`. */
function shareArgs({ tag, path, readOnly }) {
  // security_model=none: both sides are root, and files of the work folder shall be plain files on the host.
  const flags = `mount_tag=${tag},id=${tag},security_model=none,multidevs=remap${readOnly ? ',readonly=on' : ''}`
  return ['-virtfs', `local,path=${path},${flags}`]
}

/** A read-only disk; any number of guests may have it at the same time. */
function diskArgs(file) {
  return ['-drive', `file=${checkPath(file)},format=raw,if=virtio,readonly=on`]
}

/** Commas separate QEMU's options, blanks the kernel's and colons ours: such a path is refused instead of misread. */
function checkPath(path) {
  if (/[\s,:]/.test(path))
    throw new Error(
      `cannot share "${path}" with a guest: blanks, commas and colons separate options`,
    )
  return path
}

/** Further shares get tags of their own; lab.share tells guest-main.sh where to mount them. */
function furtherShares(shares) {
  return shares.map(({ from, to = from, readOnly = true }, index) => ({
    tag: `share${index}`,
    path: checkPath(from),
    readOnly,
    option: `lab.share=share${index}:${readOnly ? 'ro' : 'rw'}:${checkPath(to)}`,
  }))
}

function kernelOptions(guest, shell, shares) {
  return [
    'console=ttyS0',
    'loglevel=4',
    // A panic restarts the machine, and -no-reboot makes that the end of the emulator.
    'panic=-1',
    // The kernel's test of its timer fails on a busy host ("IO-APIC + timer doesn't work!", a panic; seen with 7.2).
    'no_timer_check',
    // The emulator has no speculation to defend against, and the detours cost a slow CPU time.
    'mitigations=off',
    // Translated code is kept by its address: where that changes with each exec, all is translated anew (measured on 6.1 with
    // 100 times /bin/true: 5.9 s, and 1.6 s so).
    'norandmaps',
    // A probe that is cut off by the kernel's idea of slowness would be a failure of the emulator only.
    'nosoftlockup',
    'rcupdate.rcu_cpu_stall_suppress=1',
    `lab.name=${guest.name}`,
    ...(shell ? ['lab.shell=1'] : []),
    ...shares.map(({ option }) => option),
  ].join(' ')
}

/** What the emulator can do, without what only costs it time: guards of the kernel's memory, and a fifth level of page tables. */
const cpu = 'max,-smap,-smep,-la57'

/** The arguments of qemu-system-x86_64 for one boot. */
export function qemuArgs(guest, { workDir, shell = false, shares = [] }) {
  const { disk, kernelFile, initramfs } = guestPaths(guest)
  const further = furtherShares(shares)
  const work = { tag: 'work', path: checkPath(workDir), readOnly: false }
  return [
    // Software emulation: the lab must run on machines without nested virtualisation, and the same everywhere.
    ...['-accel', 'tcg,thread=multi', '-cpu', cpu, '-smp', String(guest.cpus), '-m', '3072'],
    ...['-nographic', '-no-reboot', '-nodefaults', '-serial', shell ? 'mon:stdio' : 'stdio'],
    ...['-kernel', kernelFile, '-initrd', initramfs],
    ...['-append', kernelOptions(guest, shell, further)],
    ...['-device', 'virtio-rng-pci'],
    // A second, real-looking interface which leads nowhere; romfile= because nothing boots from it.
    ...['-netdev', 'user,id=net,restrict=on', '-device', 'virtio-net-pci,netdev=net,romfile='],
    ...[disk, toolsDisk].flatMap(diskArgs),
    ...[work, ...further].flatMap(shareArgs),
  ]
}
