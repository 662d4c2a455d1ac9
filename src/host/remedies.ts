import type { Family } from './os-release.ts'

const installers: Readonly<Record<Family, string>> = {
  debian: 'apt-get install',
  fedora: 'dnf install',
  suse: 'zypper install',
  arch: 'pacman -S',
  alpine: 'apk add',
}

type Names = Readonly<Record<Family, string>>

const everywhere = (name: string): Names => ({
  debian: name,
  fedora: name,
  suse: name,
  arch: name,
  alpine: name,
})

/**
 * Package of each thing we can miss, by family. Sources: bcc's INSTALL.md and bpftrace's install page for bpftrace, bcc and headers;
 * util-linux is where unshare(1) and setpriv(1) come from (Alpine splits it by tool).
 */
const packages = {
  bpftrace: everywhere('bpftrace'),
  bcc: {
    debian: 'python3-bpfcc',
    fedora: 'python3-bcc',
    suse: 'python3-bcc',
    arch: 'python-bcc',
    alpine: 'py3-bcc',
  },
  headers: {
    debian: 'linux-headers-$(uname -r)',
    fedora: 'kernel-devel-$(uname -r)',
    suse: 'kernel-default-devel',
    arch: 'linux-headers',
    alpine: 'linux-lts-dev',
  },
  setpriv: { ...everywhere('util-linux'), alpine: 'setpriv' },
  unshare: { ...everywhere('util-linux'), alpine: 'util-linux-misc' },
} as const satisfies Record<string, Names>

export type Installable = keyof typeof packages

/** A command that installs the thing on this distribution; a sentence where the family is not known. */
export function installRemedy(thing: Installable, family: Family | null): string {
  return family === null
    ? `install the package that has ${thing}, for example ${packages[thing].debian}`
    : `${installers[family]} ${packages[thing][family]}`
}
