import { describe, expect, it } from 'vitest'

import { isAbleToMount, judgePrivileges, readIdentity } from '../../src/host/privileges.ts'
import { readFrom } from './fake-read.ts'

const whole = '         0          0 4294967295\n'
const identityOf = (uid: number, capEff: string, map = whole) =>
  readIdentity(
    readFrom({
      '/proc/self/status': `Name:\tnode\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\nCapEff:\t${capEff}\n`,
      '/proc/self/uid_map': map,
    }),
  )
const all = '000001ffffffffff'
const none = '0000000000000000'
const bpfAndPerfmon = '000000c000000000'
const withFiles = '000000c000000006'

describe('judgePrivileges', () => {
  it('accepts root with its capabilities', () => {
    expect(judgePrivileges(identityOf(0, all), '0.17.0').is).toBe('yes')
  })

  it('refuses a user without capabilities, and root that has lost them', () => {
    expect(judgePrivileges(identityOf(1000, none), '0.27.1').is).toBe('no')
    expect(judgePrivileges(identityOf(0, none), '0.17.0').is).toBe('no')
  })

  it('refuses the root of a user namespace', () => {
    const fact = judgePrivileges(identityOf(0, all, '0 1000 1\n'), '0.17.0')

    expect(fact).toMatchObject({ is: 'no', evidence: expect.stringContaining('user namespace') })
  })

  it('accepts capabilities of a user only with a bpftrace that does, and says which it lacks', () => {
    expect(judgePrivileges(identityOf(1000, withFiles), '0.27.1').is).toBe('yes')
    expect(judgePrivileges(identityOf(1000, withFiles), '0.23.2')).toEqual({
      is: 'no',
      evidence: 'euid 1000; bpftrace 0.23.2 runs as root only',
    })
    expect(judgePrivileges(identityOf(1000, bpfAndPerfmon), '0.27.1').evidence).toContain(
      'CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE',
    )
  })

  it('does not know without /proc', () => {
    expect(judgePrivileges(readIdentity(readFrom({})), null).is).toBe('unknown')
  })
})

describe('isAbleToMount', () => {
  it('needs CAP_SYS_ADMIN in the initial user namespace', () => {
    expect(isAbleToMount(identityOf(0, all))).toBe(true)
    expect(isAbleToMount(identityOf(0, bpfAndPerfmon))).toBe(false)
    expect(isAbleToMount(identityOf(0, all, '0 1000 1\n'))).toBe(false)
  })
})
