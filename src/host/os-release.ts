import type { Read } from './read.ts'

/** Distribution families that remedies are written for. */
const families = ['debian', 'fedora', 'suse', 'arch', 'alpine'] as const

export type Family = (typeof families)[number]

/** IDs of os-release(5) whose ID_LIKE does not name the family. */
const relatives: Readonly<Record<string, Family>> = {
  rhel: 'fedora',
  centos: 'fedora',
  amzn: 'fedora',
  opensuse: 'suse',
  sles: 'suse',
  ubuntu: 'debian',
}

/** The family of this distribution, null when os-release is missing or names none we know. */
export function readFamily(read: Read): Family | null {
  const etc = read('/etc/os-release')
  const file = 'text' in etc ? etc : read('/usr/lib/os-release')
  if ('errno' in file) return null
  const names = [...valuesOf(file.text, 'ID'), ...valuesOf(file.text, 'ID_LIKE')]
  const known = names.map((name) => families.find((each) => each === name) ?? relatives[name])
  return known.find((family) => family !== undefined) ?? null
}

/** `ID_LIKE="rhel centos fedora"` -> its words. */
function valuesOf(text: string, key: string): string[] {
  const value = new RegExp(`^${key}=["']?([^"'\\n]*)["']?$`, 'm').exec(text)?.[1] ?? ''
  return value.split(/\s+/).filter((word) => word !== '')
}
