import { builtin } from '../../probes/index.ts'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { completionsFor } from '../../src/commands/completion.ts'
import { findTool } from '../../src/host/tools.ts'
import { watchLeftovers } from '../fakes/leftovers.ts'
import { cli, runCli } from './run-cli.ts'

const place = watchLeftovers()

/** What the last word of a line can become. */
const complete = (line: string, shell = '/bin/bash') =>
  completionsFor(line.split(' '), { SHELL: shell })

describe('completion', () => {
  it.each([
    ['ebpf-run tcp', Object.keys(builtin).filter((name) => name.startsWith('tcp'))],
    ['/usr/bin/ebpf-run re', ['replay', 'retrans']],
    ['doc', ['doctor']],
    ['ebpf-run plan tcpco', ['tcpcong', 'tcpconnect', 'tcpconnlat']],
    ['ebpf-run help sch', ['schema']],
    ['ebpf-run tcpconnect --rp', ['--rport']],
    ['ebpf-run plan tcpconnect --rp', ['--rport']],
    ['ebpf-run tcpconnect -o nd', ['ndjson']],
    ['ebpf-run tcpconnect --output nd', ['ndjson']],
    ['ebpf-run tcpconnect --output = nd', ['ndjson']],
    ['ebpf-run tcpconnect --output=nd', ['--output=ndjson']],
    ['ebpf-run tcpconnect -o json --fa', ['--family', '--failed']],
    ['ebpf-run tcpconnect --utc --ut', []],
    ['ebpf-run tcpconnect --rport 22 --rp', ['--rport']],
    ['ebpf-run doctor --', ['--output', '--help']],
    ['ebpf-run replay x.rec --dur', []],
    ['ebpf-run replay x.rec --cou', ['--count']],
    // File names are the shell's.
    ['ebpf-run replay ', []],
    ['ebpf-run tcpconnect --record ', []],
    // So are the words of a command.
    ['ebpf-run tcpconnect -- --rp', []],
    ['ebpf-run nonsense --', []],
    ['ebpf-run --toString --', []],
    ['ebpf-run tcpconnect --__proto__ --rp', ['--rport']],
  ])('of %j', async (line, expected) => {
    expect(await complete(line)).toEqual(expected)
  })

  it('knows every probe and command', async () => {
    const words = await complete('ebpf-run ')

    expect(words).toEqual(expect.arrayContaining(['execsnoop', 'completion', 'list', 'tcpconnect']))
  })

  it('shows no option that is read and not documented', async () => {
    const options = await complete('ebpf-run tcpconnect --')
    const { stdout } = await runCli(['tcpconnect', '--help'])

    for (const option of options) expect(stdout).toContain(`${option}`)
  })

  it('says to zsh and fish what each is', async () => {
    expect(await complete('ebpf-run doc', '/bin/zsh')).toEqual([
      'doctor:what this host can do, and what to do about the rest',
    ])
    expect(await complete('ebpf-run doc', '/usr/bin/fish')).toEqual([
      'doctor\twhat this host can do, and what to do about the rest',
    ])
  })
})

describe('ebpf-run completion', () => {
  it('prints a script that completes in bash', async () => {
    const script = await runCli(['completion'], { env: { SHELL: '/bin/bash' } })
    const folder = mkdtempSync(join(place.folder, 'bin-'))
    const path = join(folder, 'ebpf-run')
    writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`)
    chmodSync(path, 0o755)
    const inBash = `${script.stdout}
      COMP_WORDS=(ebpf-run tcpconnect --rp); COMP_CWORD=2
      "$(complete -p ebpf-run | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
      echo "\${COMPREPLY[@]}"`
    const { stdout, stderr } = spawnSync('/bin/bash', ['-c', inBash], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${folder}:${process.env['PATH']}`, SHELL: '/bin/bash' },
    })

    expect(script.code).toBe(0)
    expect(stderr).toBe('')
    expect(stdout).toBe('--rport\n')
  })

  it.each([
    ['/usr/bin/zsh', 'zsh', '#compdef ebpf-run'],
    ['/bin/bash', 'bash', 'complete -o bashdefault'],
  ])('prints the script for %s, which that shell can read', async (path, shell, expected) => {
    const { stdout, stderr } = await runCli(['completion'], { env: { SHELL: path } })

    expect(stdout).toContain(expected)
    expect(stderr).toBe('')
    if (findTool(shell, process.env) === null) return
    expect(spawnSync(shell, ['-n'], { input: stdout, encoding: 'utf8' }).stderr).toBe('')
  })
})
