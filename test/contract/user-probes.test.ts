import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadUserProbe } from '../../src/catalog/user.ts'
import { planOnHost } from '../../src/commands/plan-on-host.ts'
import { withFreeOptions } from '../../src/commands/free-options.ts'
import { makePlan } from '../../src/plan/plan.ts'
import type { PlanRequest } from '../../src/plan/plan-request.ts'
import { definitionSchema, needSubjects } from '../../src/schema/definition.ts'
import { kinds } from '../../src/schema/kinds.ts'
import { factsFor } from '../plan/handmade-facts.ts'
import { cannotRun, linesOf, runCli } from '../cli/run-cli.ts'

const page = readFileSync(new URL('../../docs/user-probes.md', import.meta.url), 'utf8')
const blockOf = (language: string) =>
  new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'm').exec(page)?.[1] ?? ''

const base = mkdtempSync(join(cannotRun === null ? '/run' : tmpdir(), 'ebpf-run-docs-'))
chmodSync(base, 0o755)
afterAll(() => rmSync(base, { recursive: true, force: true }))
const unlinks = join(base, 'unlinks')
mkdirSync(unlinks)
writeFileSync(join(unlinks, 'probe.json'), blockOf('json'))
writeFileSync(join(unlinks, 'unlinks.bt'), blockOf('bpftrace'))

const probe = loadUserProbe('unlinks', { folder: base, isAllowed: true })
const request: PlanRequest = {
  filters: [],
  params: { least: 5 },
  variant: null,
  backend: null,
  bufferBytes: null,
}
/** Why this host cannot run it, null when it can. */
const whyNot = await planOnHost(probe, request, process.env).then(
  () => cannotRun,
  (error: unknown) => String(error),
)
if (whyNot !== null) console.warn(`the example of docs/user-probes.md is not run here: ${whyNot}`)

describe('docs/user-probes.md', () => {
  test.each(['0.11.3', '0.17.0', '0.23.2', '0.27.1'])(
    'has an example that renders for bpftrace %s',
    (version) => {
      const plan = makePlan(withFreeOptions(probe), request, factsFor(probe, version))
      const program = plan.render(plan.placeholders)

      expect(program).toContain('if ($took >= 5)')
      expect(program).not.toContain('{{')
    },
  )

  test('names every key of a definition, every kind and every need', () => {
    const keys = Object.keys(definitionSchema.properties as object)
    const told = (word: string) => page.includes(`\`${word}\``) || page.includes(`{"${word}"`)
    const untold = [
      ...['aliases', 'onInterfaces', 'tcpCounters', 'buckets', 'hook'],
      ...['script', 'output', 'entries'],
    ]

    expect(
      [...keys, ...Object.keys(kinds), ...needSubjects].filter((word) => !told(word)).toSorted(),
    ).toEqual(untold.toSorted())
  })

  test.skipIf(whyNot !== null)('has an example that sees each file deleted, exactly', async () => {
    const names = Array.from({ length: 101 }, (_, index) => join(base, `victim-${index}`))
    for (const name of names) writeFileSync(name, '')
    const env = { EBPF_RUN_PROBES: base }
    const ran = await runCli(['unlinks', '-o', 'ndjson', '--', 'rm', ...names], { env })

    expect(ran.stderr).toContain('kernel counted 101, delivered 101, lost 0')
    const events = linesOf(ran.stdout)
    expect(events.map(({ path }) => path)).toEqual(names)
    expect(
      events.every(({ result, comm }) => comm === 'rm' && JSON.stringify(result).includes('OK')),
    ).toBe(true)
    for (const name of names) writeFileSync(name, '')
    const slow = await runCli(['unlinks', '--least', '30s', '-o', 'ndjson', '--', 'rm', ...names], {
      env,
    })
    expect(slow).toMatchObject({ code: 0, stdout: '' })
  })
})
