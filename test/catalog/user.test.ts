import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { loadUserProbe } from '../../src/catalog/user.ts'
import { userFolder, userProbeNames } from '../../src/catalog/user-folder.ts'
import { errorOf } from '../error-of.ts'

const isRoot = process.geteuid?.() === 0
if (!isRoot) console.warn(`what root trusts is not tested: this is uid ${process.geteuid?.()}`)

/** A place that root alone can change, unlike /tmp. */
const base = mkdtempSync(join(isRoot ? '/run' : tmpdir(), 'ebpf-run-user-'))
chmodSync(base, 0o755)
afterAll(() => rmSync(base, { recursive: true, force: true }))

const nobody = 65534
const definition = {
  name: 'mine',
  summary: 'one of mine',
  example: 'ebpf-run mine',
  owner: 'task',
  events: {
    hit: {
      doc: 'a hit',
      fields: {
        time: { kind: 'time', of: 'ktime_ns', doc: 'when' },
        ktime_ns: { kind: 'ktime', doc: 'when' },
      },
      table: ['time'],
    },
  },
  variants: [
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [{ tracepoint: 'syscalls:sys_enter_getpgid' }],
      cannotTell: {},
      misses: '',
      cost: '',
    },
  ],
}

const probes = join(base, 'probes')
const mine = join(probes, 'mine')
const template = 'tracepoint:syscalls:sys_enter_getpgid { {{emit hit\ntask\n}} }\n'

beforeEach(() => {
  rmSync(probes, { recursive: true, force: true })
  mkdirSync(mine, { recursive: true, mode: 0o755 })
  write('probe.json', JSON.stringify(definition))
  write('tracepoint.bt', template)
})

function write(name: string, text: string): void {
  writeFileSync(join(mine, name), text, { mode: 0o644 })
}

const load = (isAllowed = false) => loadUserProbe('mine', { folder: probes, isAllowed })

describe("the user's folder", () => {
  test.each([
    [{ EBPF_RUN_PROBES: '/a/../b' }, true, '/b'],
    [{ EBPF_RUN_PROBES: '/b', XDG_CONFIG_HOME: '/c' }, false, '/b'],
    [{ XDG_CONFIG_HOME: '/c', HOME: '/h' }, true, '/etc/ebpf-run/probes'],
    [{ XDG_CONFIG_HOME: '/c', HOME: '/h' }, false, '/c/ebpf-run/probes'],
    [{ XDG_CONFIG_HOME: 'c', HOME: '/h' }, false, '/h/.config/ebpf-run/probes'],
    [{ HOME: '/h' }, false, '/h/.config/ebpf-run/probes'],
  ])('%j, root: %s, is %s', (env, root, expected) => {
    expect(userFolder(env, root)).toBe(expected)
  })

  test('has as probes the folders with a name of a probe, and none when it is not there', () => {
    mkdirSync(join(probes, '.new-x-1234'))
    mkdirSync(join(probes, 'Upper'))
    mkdirSync(join(probes, 'b-2_c'))
    writeFileSync(join(probes, 'file'), '')

    expect(userProbeNames(probes)).toEqual(['b-2_c', 'mine'])
    expect(userProbeNames(join(base, 'nope'))).toEqual([])
  })
})

describe("a probe of the user's", () => {
  test('is loaded by its name like one of the catalogue, only where it is asked for', async () => {
    const user = { folder: probes, isAllowed: false }

    expect(await loadProbe('mine', user)).toEqual({
      spec: definition,
      templates: { tracepoint: template },
    })
    await expect(loadProbe('mine')).rejects.toMatchObject({ code: 'UNKNOWN_PROBE' })
    await expect(loadProbe('mien', user)).rejects.toMatchObject({
      remedy: expect.stringContaining('did you mean mine?') as string,
    })
  })

  test('has no program of its own where only pipe reads', () => {
    const [variant] = definition.variants
    const reader = { ...variant, backend: 'tracefs', template: 'pattern.json' }
    write('probe.json', JSON.stringify({ ...definition, variants: [reader] }))
    expect(errorOf(load)).toMatchObject({
      code: 'BAD_DEFINITION',
      message: expect.stringContaining('/variants/0/backend'),
    })
  })

  test('never stands in for one of the catalogue', async () => {
    renameSync(mine, join(probes, 'tcpconnect'))

    const { spec } = await loadProbe('tcpconnect', { folder: probes, isAllowed: true })
    expect(spec.summary).toContain('active TCP')
  })

  test('includes files of its own folder', () => {
    write('tracepoint.bt', '{{include a.bt}}\n')
    write('a.bt', 'x\n{{include b.bt}}\n')
    write('b.bt', 'y\n')

    expect(load().templates).toEqual({ tracepoint: 'x\ny\n' })
  })

  test.each([
    ['of another folder', '{{include ../x.bt}}\n', 'outside of its folder'],
    ['of any place', '{{include /etc/passwd}}\n', 'cannot include'],
    ['that is itself', '{{include tracepoint.bt}}\n', 'includes itself'],
    ['that is not there', '{{include a.bt}}\n', 'cannot be read'],
  ])('does not include a file %s', (_, text, message) => {
    write('tracepoint.bt', text)

    expect(errorOf(load)).toMatchObject({ code: 'BAD_DEFINITION' })
    expect(errorOf(load).message).toContain(message)
  })

  test.each([
    ['that is no JSON', '{"name": ', 'is no JSON'],
    ['of another name', JSON.stringify({ ...definition, name: 'other' }), '/name: '],
    ['with aliases', JSON.stringify({ ...definition, aliases: ['m'] }), '/aliases: '],
    ['as a script', JSON.stringify({ ...definition, script: { unsafe: true } }), '/script: '],
    [
      'with a text for the terminal',
      JSON.stringify({ ...definition, summary: '\u001b[2J' }),
      '/summary: ',
    ],
    [
      'with a template elsewhere',
      JSON.stringify(definition).replace('tracepoint.bt', '../x.bt'),
      '/variants/0/template: ',
    ],
  ])('is refused with a definition %s', (_, text, message) => {
    write('probe.json', text)

    expect(errorOf(load)).toMatchObject({ code: 'BAD_DEFINITION' })
    expect(errorOf(load).message).toContain(message)
  })

  test('is not waited for when a file of it is a named pipe', () => {
    rmSync(join(mine, 'tracepoint.bt'))
    execFileSync('mkfifo', [join(mine, 'tracepoint.bt')])
    chmodSync(join(mine, 'tracepoint.bt'), 0o644)

    expect(errorOf(load)).toMatchObject({ code: 'BAD_DEFINITION', found: 'no regular file' })
  })

  test('that is a link to nothing is told as such', () => {
    symlinkSync(join(base, 'nothing'), join(probes, 'gone'))
    const gone = (isAllowed: boolean) =>
      errorOf(() => loadUserProbe('gone', { folder: probes, isAllowed }))

    expect(userProbeNames(probes)).toContain('gone')
    for (const isAllowed of [false, true])
      expect(gone(isAllowed)).toMatchObject({ code: 'BAD_DEFINITION', found: 'ENOENT' })
  })

  test('has no file without an end', () => {
    write('tracepoint.bt', 'x'.repeat(1024 * 1024 + 1))

    expect(errorOf(load)).toMatchObject({ code: 'BAD_DEFINITION', found: '1048577 bytes' })
  })
})

describe.skipIf(!isRoot)('root', () => {
  const own = (path: string) => () => chownSync(path, nobody, nobody)
  const mode = (path: string, bits: number) => () => chmodSync(path, bits)
  const json = join(mine, 'probe.json')
  const bt = join(mine, 'tracepoint.bt')

  test.each([
    ['its folder is of another', own(mine), mine, 'owner 65534, mode 0755'],
    ['the folder of all probes is of another', own(probes), probes, 'owner 65534, mode 0755'],
    ['its group can write into its folder', mode(mine, 0o775), mine, 'owner 0, mode 0775'],
    ['all can write into its folder', mode(mine, 0o757), mine, 'owner 0, mode 0757'],
    [
      'all can write above it, also with a sticky bit',
      mode(probes, 0o1777),
      probes,
      'owner 0, mode 1777',
    ],
    ['its definition is of another', own(json), json, 'owner 65534, mode 0644'],
    ['all can write its definition', mode(json, 0o646), json, 'owner 0, mode 0646'],
    ['its template is of another', own(bt), bt, 'owner 65534, mode 0644'],
    ['a group can write its template', mode(bt, 0o664), bt, 'owner 0, mode 0664'],
  ])('does not load a probe when %s, and says so', (_, change, path, found) => {
    change()

    const error = errorOf(load)
    expect(error).toMatchObject({
      code: 'UNTRUSTED_PROBE',
      exitCode: 77,
      found: `${path}: ${found}`,
    })
    expect(error.remedy).toContain('--allow-user-probes')
    expect(load(true).spec.name).toBe('mine')
  })

  test.each([['probe.json'], ['tracepoint.bt']])(
    'does not follow a link in the place of %s',
    (name) => {
      const elsewhere = join(base, `elsewhere-${name}`)
      renameSync(join(mine, name), elsewhere)
      symlinkSync(elsewhere, join(mine, name))
      lchownSync(join(mine, name), nobody, nobody)

      expect(errorOf(load)).toMatchObject({
        code: 'UNTRUSTED_PROBE',
        found: `${join(mine, name)}: a symbolic link`,
      })
      expect(load(true).spec.name).toBe('mine')
    },
  )

  test('does not trust what an included file says when it is of another', () => {
    write('tracepoint.bt', '{{include a.bt}}\n')
    write('a.bt', 'x\n')
    own(join(mine, 'a.bt'))()

    expect(errorOf(load).found).toBe(`${join(mine, 'a.bt')}: owner 65534, mode 0644`)
  })

  test('looks at where a link leads, not at where it stands', () => {
    const home = join(base, 'home')
    mkdirSync(home, { mode: 0o777 })
    renameSync(mine, join(home, 'mine'))
    symlinkSync(join(home, 'mine'), mine)
    chmodSync(home, 0o777)

    expect(errorOf(load)).toMatchObject({
      code: 'UNTRUSTED_PROBE',
      found: `${home}: owner 0, mode 0777`,
    })
    chmodSync(home, 0o755)
    expect(load().spec.name).toBe('mine')
    rmSync(home, { recursive: true })
  })

  test('gets a remedy that works', () => {
    execFileSync('chown', ['-R', '65534', mine])
    execFileSync('chmod', ['-R', 'g+w', mine])
    const { remedy = '' } = errorOf(load)
    const command = /chown .* go-w \S+/.exec(remedy.replaceAll('sudo ', ''))?.[0] ?? ''

    execFileSync('sh', ['-c', command.replace(/;.*/, '')])
    expect(load().spec.name).toBe('mine')
  })
})
