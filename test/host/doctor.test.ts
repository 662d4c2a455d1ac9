import { describe, expect, it } from 'vitest'

import { diagnose, doctor, exitCodeOf, renderTable } from '../../src/commands/doctor.ts'
import { no, unknown, yes } from '../../src/host/fact.ts'
import type { HostFacts } from '../../src/host/facts.ts'
import type { Survey } from '../../src/host/survey.ts'

const facts: HostFacts = {
  kernel: { release: '6.1.0-50-amd64', machine: 'x86_64', version: '#1 SMP' },
  cpus: 4,
  memoryBytes: 8 * 2 ** 30,
  privileged: yes('euid 0'),
  tracefs: yes('/sys/kernel/tracing is readable'),
  btf: yes('btf'),
  kprobes: yes('kprobes'),
  fentry: yes('fentry'),
  lockdown: no('[none]'),
  jit: yes('1'),
  hostPidNamespace: yes('pid:[4026531836]'),
  bpftrace: { found: yes('/usr/bin/bpftrace'), path: '/usr/bin/bpftrace', version: '0.17.0' },
  tools: { setpriv: '/usr/bin/setpriv', unshare: '/usr/bin/unshare' },
  tracepoints: {},
  functions: {},
  members: {},
}
const healthy: Survey = {
  facts,
  family: 'debian',
  isRoot: true,
  tracepoints: yes('11 fields'),
  bcc: yes('bcc 0.26.0'),
  headers: yes('/lib/modules/6.1.0-50-amd64/build'),
  hasModulesFolder: true,
  devFd: yes('/dev/fd/0'),
  memlockBytes: 8 * 2 ** 20,
  mayRaiseLimits: true,
  seccomp: no('0'),
}
const find = (survey: Survey, id: string) => diagnose(survey).find((check) => check.id === id)
const withFacts = (change: Partial<HostFacts>, rest: Partial<Survey> = {}): Survey => ({
  ...healthy,
  ...rest,
  facts: { ...facts, ...change },
})

describe('diagnose', () => {
  it('finds nothing on a healthy machine, and offers no remedy', () => {
    const checks = diagnose(healthy)

    expect(checks.filter((check) => check.status !== 'ok' || check.remedy !== null)).toEqual([])
    expect(exitCodeOf(checks)).toBe(0)
  })

  it('has stable ids', () => {
    expect(diagnose(healthy).map((check) => check.id)).toMatchInlineSnapshot(`
      [
        "privileges",
        "seccomp",
        "lockdown",
        "tracefs",
        "btf",
        "kprobes",
        "fentry",
        "jit",
        "pid-namespace",
        "bpftrace",
        "dev-fd",
        "setpriv",
        "unshare",
        "bcc-python",
        "kernel-headers",
        "bpftrace-version",
        "memlock",
        "buffers",
      ]
    `)
  })

  it('tells that bpftrace did not answer, and not that it has no version', () => {
    const found = unknown('/bin/bpftrace --version did not answer within 30 s')
    const survey = withFacts({ bpftrace: { found, path: '/bin/bpftrace', version: null } })

    expect(find(survey, 'bpftrace')).toMatchObject({ status: 'unknown', found: found.evidence })
    expect(find(survey, 'bpftrace-version')).toMatchObject({ found: found.evidence })
  })

  it.each([
    ['debian', 'apt-get install bpftrace'],
    ['fedora', 'dnf install bpftrace'],
    ['suse', 'zypper install bpftrace'],
    ['arch', 'pacman -S bpftrace'],
    ['alpine', 'apk add bpftrace'],
  ] as const)('tells %s how to install bpftrace', (family, remedy) => {
    const bare = { found: no('no bpftrace on PATH'), path: null, version: null }
    const survey = withFacts({ bpftrace: bare }, { family, headers: no('no headers') })

    expect(find(survey, 'bpftrace')).toMatchObject({ status: 'blocks', remedy })
    expect(exitCodeOf(diagnose(survey))).toBe(69)
    // bcc can do some of it.
    const instead = withFacts({ bpftrace: bare }, { family })
    expect(find(instead, 'bpftrace')).toMatchObject({ status: 'warn', remedy })
    expect(exitCodeOf(diagnose(instead))).toBe(0)
  })

  it('ends with 77 when only permission is missing, with 69 when more is', () => {
    const user = { privileged: no('euid 1000'), tracefs: unknown('EACCES') }
    const old = { found: yes('x'), path: 'x', version: '0.9.4' }
    const rest = { isRoot: false, tracepoints: unknown('EACCES') }

    expect(exitCodeOf(diagnose(withFacts(user, rest)))).toBe(77)
    expect(exitCodeOf(diagnose(withFacts({ ...user, bpftrace: old }, rest)))).toBe(69)
    expect(find(withFacts(user, rest), 'tracefs')).toMatchObject({ status: 'unknown' })
  })

  it('blocks when root cannot read tracepoints either', () => {
    const survey = withFacts(
      { tracefs: no('a private mount failed') },
      { tracepoints: unknown('') },
    )

    expect(find(survey, 'tracefs')).toMatchObject({
      status: 'blocks',
      remedy: 'mount -t tracefs tracefs /sys/kernel/tracing',
    })
  })

  it('takes the locked-memory limit seriously before 5.11 only', () => {
    const kernel = { ...facts.kernel, release: '5.10.0-32-amd64' }
    const poor = { mayRaiseLimits: false, memlockBytes: 65536 }

    expect(find(withFacts({ kernel }, poor), 'memlock')?.status).toBe('warn')
    expect(find(withFacts({}, poor), 'memlock')?.status).toBe('ok')
    expect(
      find(withFacts({ kernel }, { ...poor, memlockBytes: Infinity }), 'memlock')?.status,
    ).toBe('ok')
  })

  it('names the buffer of the version and its default size', () => {
    const ring = { found: yes('x'), path: 'x', version: '0.23.2' }

    expect(find(healthy, 'buffers')?.found).toBe('perf buffer, 64 MiB (4096 pages a CPU, 4 CPUs)')
    expect(find(withFacts({ bpftrace: ring }), 'buffers')?.found).toContain('ring buffer')
  })

  it('warns of fentry that an old bpftrace cannot use', () => {
    const old = { found: yes('x'), path: 'x', version: '0.11.3' }

    expect(find(withFacts({ bpftrace: old }), 'fentry')).toMatchObject({ status: 'warn' })
  })

  it('offers no header package for a kernel that came from none', () => {
    const rest = { headers: no('none'), hasModulesFolder: false }

    expect(find(withFacts({}, rest), 'kernel-headers')?.remedy).toContain('CONFIG_IKHEADERS')
    expect(find(withFacts({}, { headers: no('none') }), 'kernel-headers')?.remedy).toBe(
      'apt-get install linux-headers-$(uname -r)',
    )
  })
})

describe('the table', () => {
  const survey = withFacts({ privileged: no('euid 1000') }, { isRoot: false })
  const linesAt = (columns: number) =>
    renderTable(diagnose(survey), survey, columns).trimEnd().split('\n')

  it.each([60, 80, 200])('fits %i columns', (columns) => {
    expect(linesAt(columns).filter((line) => line.length > columns)).toEqual([])
  })

  it('breaks fewer lines where there is room, and not into nothing where there is none', () => {
    expect(linesAt(200).length).toBeLessThan(linesAt(60).length)
    expect(linesAt(1)).toEqual(linesAt(40))
  })
})

describe('doctor on this machine', () => {
  it('prints a table that fits 80 columns', async () => {
    const { text } = await doctor({ output: 'table', env: process.env, columns: 80 })

    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(text).toContain('privileges')
  })

  it('blocks with 69 and a remedy in JSON where bpftrace is missing', async () => {
    const { text, exitCode } = await doctor({
      output: 'json',
      env: { PATH: '/nonexistent' },
      columns: 80,
    })
    const report: { checks: Record<string, unknown>[]; blocks: number } = JSON.parse(text)

    const bpftrace = report.checks.find((check) => check['id'] === 'bpftrace')
    expect(bpftrace).toMatchObject({
      status: 'blocks',
      found: 'no bpftrace on PATH (/nonexistent)',
    })
    expect(report.blocks).toBe(report.checks.filter((check) => check['status'] === 'blocks').length)
    expect(exitCode).toBe(69)
  })
})
