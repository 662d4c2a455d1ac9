import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { main } from '../../src/commands/main.ts'
import { runCli } from './run-cli.ts'

const isRoot = process.geteuid?.() === 0
const base = mkdtempSync(join(isRoot ? '/run' : tmpdir(), 'ebpf-run-new-'))
chmodSync(base, 0o755)
afterAll(() => rmSync(base, { recursive: true, force: true }))
const probes = join(base, 'probes')
beforeEach(() => rmSync(probes, { recursive: true, force: true }))

/** A command line without a process of its own. */
async function runMain(argv: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const said = { stdout: '', stderr: '' }
  const code = await main(argv, {
    env: { ...process.env, EBPF_RUN_PROBES: probes, ...more },
    columns: 80,
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    stdout: (text) => void (said.stdout += text),
    stderr: (text) => void (said.stderr += text),
  })
  return { code, ...said }
}

const definition = {
  name: 'mine',
  summary: 'one of mine',
  example: 'ebpf-run mine',
  owner: 'task',
  failed: [{ field: 'result', min: -4095, max: -1 }],
  params: { least: { doc: 'no less than this', default: 0, min: 0, max: 9 } },
  events: {
    hit: {
      doc: 'a hit',
      fields: {
        time: { kind: 'time', of: 'ktime_ns', doc: 'when' },
        ktime_ns: { kind: 'ktime', doc: 'when' },
        pid: { kind: 'u32', doc: 'process id' },
        result: { kind: 'result', doc: 'what came of it' },
      },
      table: ['time', 'result'],
    },
  },
  variants: [
    {
      ...{ name: 'tracepoint', backend: 'bpftrace', template: 'tracepoint.bt' },
      needs: [{ tracepoint: 'syscalls:sys_enter_getpgid' }],
      ...{ cannotTell: {}, misses: '', cost: '' },
    },
  ],
}

function writeMine(changes: object = {}, name = 'mine'): string {
  const folder = join(probes, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'probe.json'), JSON.stringify({ ...definition, ...changes }))
  writeFileSync(join(folder, 'tracepoint.bt'), 'tracepoint:syscalls:sys_enter_getpgid { }\n')
  return folder
}

describe('new', () => {
  it.each([
    ['new', 'USAGE', 'ebpf-run new my-probe --from'],
    ['new mine', 'USAGE', '--from syscall:openat'],
    ['new mine --from', 'USAGE', '--from syscall:openat'],
    ['new mine --from --return', 'USAGE', '--from syscall:openat'],
    ['new ../mine --from syscall:getpgid', 'BAD_VALUE', 'ebpf-run new my-probe'],
    ['new tcpconnect --from syscall:getpgid', 'BAD_VALUE', 'ebpf-run new my-tcpconnect'],
    ['new trace --from syscall:getpgid', 'BAD_VALUE', 'already a probe or a command'],
    ['new mine --from nonsense', 'BAD_VALUE', 'an attach point was expected'],
    ['new mine --from function:vfs_read x=nope', 'BAD_VALUE', "'nope'"],
    ['new mine --from function:vfs_read --duration 3', 'CONFLICT', 'ebpf-run mine --duration'],
    ['new mine --from function:vfs_read --wher x', 'UNKNOWN_OPTION', 'did you mean --where?'],
    ['new mine --from function:vfs_read -- ls', 'CONFLICT', 'starts no command'],
  ])('refuses %s with %s', async (line, code, text) => {
    const { stderr, stdout } = await runMain(line.split(' '))

    expect(stderr).toContain(`[${code}]`)
    expect(stderr).toContain(text)
    expect(stdout).toBe('')
    expect(readdirSync(base)).not.toContain('probes')
  })

  it('makes a probe from the words of a trace, for list, describe, schema and types', async () => {
    const words = 'new reads --from function:vfs_read size=count --where'.split(' ')
    const made = await runMain([...words, 'count > 4096', '-o', 'json'])

    expect(made.stderr).toBe('')
    const { path, files } = JSON.parse(made.stdout) as { path: string; files: string[] }
    expect(path).toBe(join(probes, 'reads'))
    expect(readdirSync(path).toSorted()).toEqual(files.toSorted())
    expect(files).toEqual(expect.arrayContaining(['probe.json', 'README.md', 'schema.json']))

    const again = await runMain([...words, 'count > 4096'])
    expect(again.stderr).toContain('[PROBE_EXISTS]')
    expect((await runMain(['list'])).stdout).toContain('function:vfs_read, where count > 4096')
    expect((await runMain(['describe', 'reads'])).stdout).toContain('Event vfs_read')
    expect((await runMain(['schema', 'reads'])).stdout).toContain('"size"')
    expect((await runMain(['types', 'reads'])).stdout).toContain('export type ReadsEvent')
    expect((await runMain(['reads', '--help'])).stdout).toContain('--allow-user-probes')
  })

  it('writes to --dir when it is given', async () => {
    const line = `new reads --dir ${base}/other --from=function:vfs_read`
    const { stdout, stderr } = await runMain(line.split(' '))

    expect(stdout).toBe(`${base}/other/reads\n`)
    expect(stderr).toContain(`EBPF_RUN_PROBES=${base}/other ebpf-run reads`)
  })
})

describe("the user's probes", () => {
  it('stand in the list, marked as theirs, and in what a shell completes', async () => {
    writeMine()

    const { stdout } = await runMain(['list', '-o', 'json'])
    expect((JSON.parse(stdout) as object[]).at(-1)).toEqual({
      ...{ name: 'mine', path: join(probes, 'mine'), summary: 'one of mine' },
      ...{ example: 'ebpf-run mine', aliases: [], user: true },
    })
    const complete = async (...words: string[]) =>
      (await runMain(['--get-yargs-completions', 'ebpf-run', ...words], { SHELL: '/bin/bash' }))
        .stdout
    expect(await complete('mi')).toBe('mine\n')
    expect(await complete('describe', 'mi')).toBe('mine\n')
    expect(await complete('mine', '--lea')).toBe('--least\n')
  })

  it('are listed with what is wrong with them', async () => {
    writeMine({}, 'tcpconnect')
    writeFileSync(join(writeMine({}, 'broken'), 'probe.json'), '{')

    const { stdout } = await runMain(['list'])
    expect(stdout).toMatch(/^broken +cannot be loaded: .*JSON/m)
    expect(stdout).toContain('a probe or command of this name')
    expect((await runMain(['brokn'])).stderr).toContain('did you mean broken?')
  })

  it('are refused with the JSON pointer of each problem', async () => {
    writeMine({ owner: 'me', example: 5 })

    const { code, stderr } = await runMain(['describe', 'mine'])
    expect(code).toBe(2)
    expect(stderr).toContain('[BAD_DEFINITION]')
    expect(stderr).toContain('/owner: ')
    expect(stderr).toContain('/example: ')
  })

  it('have no option of their own that every run has', async () => {
    writeMine({ params: { duration: definition.params.least } })

    const { stderr } = await runMain(['describe', 'mine'])
    expect(stderr).toContain('/params/duration: ')
  })

  it('do not give --allow-user-probes to the probes of the catalogue', async () => {
    const { stderr } = await runMain(['schema', 'tcpconnect', '--allow-user-probes'])

    expect(stderr).toContain('[UNKNOWN_OPTION]')
  })

  it('are not looked for in what the command after -- is given', async () => {
    if (!isRoot) return
    chmodSync(writeMine(), 0o777)

    const { stderr } = await runMain(['mine', '--', 'true', '--allow-user-probes'])
    expect(stderr).toContain('[UNTRUSTED_PROBE]')
  })

  it.skipIf(!isRoot)('of another user are named by root, and not read', async () => {
    chownSync(writeMine(), 65534, 65534)

    const { stdout } = await runMain(['list'])
    expect(stdout).toContain('others can change')
    expect(stdout).not.toContain('one of mine')
    const asJson = await runMain(['describe', 'mine', '-o', 'json'])
    expect(JSON.parse(asJson.stderr)).toMatchObject({
      error: { code: 'UNTRUSTED_PROBE', exit_code: 77 },
    })
    expect((await runMain(['describe', 'mine', '--allow-user-probes'])).stdout).toContain(
      'Event hit',
    )
  })

  it.skipIf(!isRoot)('work without root for whoever has them, but for tracing', async () => {
    chownSync(writeMine(), 65534, 65534)
    const shell = 'exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"'
    const as = (...words: string[]) => runCli(words, { shell, env: { EBPF_RUN_PROBES: probes } })

    expect((await as('list')).stdout).toContain('one of mine')
    expect((await as('types', 'mine')).stdout).toContain('MineHit')
    expect(await as('mine')).toMatchObject({ code: 77, stdout: '' })
  })
})
