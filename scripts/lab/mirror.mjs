import { $ } from 'zx'

const fields = '$(LABEL)|$(COMPONENT)|$(SITE)'

/** The first mirror with Debian's main archive in the output of `apt-get indextargets`, or undefined. */
export function pickMirror(targets) {
  return targets
    .split('\n')
    .map((line) => line.split('|'))
    .find(([label, component]) => label === 'Debian' && component === 'main')?.[2]
}

/** The mirror this machine itself installs from: no host is named here, and a local mirror or cache is respected. */
export async function findMirror() {
  const { stdout } = await $({
    quiet: true,
  })`apt-get indextargets --format ${fields} ${'Identifier: Packages'}`
  const mirror = pickMirror(stdout)
  if (!mirror)
    throw new Error('apt on this machine knows no Debian main archive (run apt-get update)')
  return mirror
}
