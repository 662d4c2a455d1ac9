import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'

import { no, unknown, yes } from './fact.ts'
import type { Fact, HostFacts } from './facts.ts'
import { findTool } from './tools.ts'
import { parseVersion } from './version.ts'

type Bcc = NonNullable<HostFacts['bcc']>

/** Seconds that a Python may take to start and import bcc: a cold disk takes several, an emulator with one CPU more. */
const timeoutMs = 60_000

/** A Python that has bcc. The python3 on PATH may lack it while the distribution's own has it, so both are asked. */
export async function findBcc(env: NodeJS.ProcessEnv): Promise<Bcc> {
  const onPath = findTool('python3', env)
  const pythons = [...new Set(['/usr/bin/python3', ...(onPath === null ? [] : [onPath])])]
  const answers = await Promise.all(pythons.map((python) => tryBcc(python, env)))
  return (
    answers.find(({ found }) => found.is === 'yes') ?? {
      found: worst(answers.map(({ found }) => found)),
      python: null,
      version: null,
    }
  )
}

/** Where bcc and old bpftrace look: the build link of the modules, or the headers in the kernel (CONFIG_IKHEADERS). */
export function findHeaders(release: string): Fact {
  const places = [`/lib/modules/${release}/build`, '/sys/kernel/kheaders.tar.xz']
  const found = places.find((place) => existsSync(place))
  return found === undefined ? no(`neither ${places.join(' nor ')}`) : yes(found)
}

function worst(answers: readonly Fact[]): Fact {
  const evidence = answers.map((answer) => answer.evidence).join('; ')
  return answers.some((answer) => answer.is === 'unknown') ? unknown(evidence) : no(evidence)
}

function tryBcc(python: string, env: NodeJS.ProcessEnv): Promise<Bcc> {
  // As src/backends/bcc/launch.ts starts it: without the variables and folders of the user who asks.
  const ask = ['-I', '-c', 'import bcc; print(bcc.__version__)']
  return new Promise((resolve) => {
    execFile(python, ask, { env, timeout: timeoutMs }, (error, stdout, stderr) => {
      if (error === null) {
        const found = yes(`${python}: bcc ${stdout.trim()}`)
        return resolve({ found, python, version: parseVersion(stdout) })
      }
      const found =
        error.killed === true
          ? unknown(`${python}: no answer in ${timeoutMs / 1000} s`)
          : no(`${python}: ${stderr.trim().split('\n').at(-1) || (error.code ?? error.message)}`)
      resolve({ found, python: null, version: null })
    }).stdin?.end()
  })
}
