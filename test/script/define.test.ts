import { describe, expect, test } from 'vitest'
import { checkDefinition } from '../../src/catalog/check-definition.ts'
import { dialectOf, dialectVersions } from '../../src/plan/dialect.ts'
import { makePlan, placeholderToken } from '../../src/plan/plan.ts'
import { factsFor } from '../plan/handmade-facts.ts'
import { printfsOf } from '../plan/program-text.ts'
import { defineScript } from '../../src/script/define.ts'
import { eventsOf, madeOf, nothingAsked, programOf, renderedBy } from './made.ts'
import { errorOf } from '../error-of.ts'

/** A script that has about everything. */
const whole = `#!/usr/bin/env bpftrace
/* Copyright, printf("no") */
#include <net/sock.h>
BEGIN { printf("Tracing %s\\n", "it"); @limit = 5; }

kprobe:tcp_connect,
kprobe:tcp_close
/pid > 0 && @limit/
{
  time("%H:%M:%S ");
  printf("%-6d ", pid);
  printf("%s %p\\n", comm, arg0); // as a line
  @start[tid] = nsecs;
  if (comm == "a{{b}}c") { printf("hit\\n"); }
  join(args->argv);
  if (pid == 1) { exit(); }
}

kretprobe:tcp_connect /@start[tid]/
{
  @us = hist((nsecs - @start[tid]) / 1000);
  printf("%d us %s\\n", (nsecs - @start[tid]) / 1000, kstack);
  delete(@start[tid]);
}

interval:s:5 { printf("so far:\\n"); print(@us); clear(@us); }

END { clear(@start); clear(@limit); printf("bye\\n"); }
`

const countOf = (text: string, what: string): number => text.split(what).length - 1

/** Text of a program without its strings. */
const bare = (program: string): string => program.replace(/"(?:[^"\\]|\\[^])*"/g, '""')

describe.each(dialectVersions)('a script for bpftrace %s', (version) => {
  const { hasEnd, token } = dialectOf(version) ?? { hasEnd: false, token: 'text' }
  const made = madeOf(whole)
  const program = renderedBy(made, version)

  test('has no directive, and no printf of its own left', () => {
    expect(made.untyped).toEqual([])
    expect(program).not.toMatch(/\{\{|\}\}(?!$)|undefined|\bnull\b/m)
    expect(program).not.toMatch(/\{map\s/)
    for (const { format } of printfsOf(program))
      expect(format.startsWith(token === 'text' ? placeholderToken : '%lx')).toBe(true)
    expect(countOf(program, 'printf(')).toBe(printfsOf(program).length)
    for (const [open, close] of [
      ['{', '}'],
      ['(', ')'],
      ['[', ']'],
    ] as const)
      expect(countOf(bare(program), open)).toBe(countOf(bare(program), close))
  })

  test('has maps that carry the token, and no other', () => {
    const maps = bare(program).match(/@\w*/g) ?? []

    expect(maps).toEqual(expect.arrayContaining([`@u_${placeholderToken}_start`]))
    expect(maps.filter((name) => !name.includes(placeholderToken))).toEqual([])
  })

  test('keeps what it includes on a line, and what a text says', () => {
    expect(program).toMatch(/^#include <net\/sock\.h>$/m)
    expect(program).toContain('comm == "a\\x7b\\x7bb\\x7d\\x7dc"')
    expect(program).not.toMatch(/#!|Copyright|as a line/)
  })

  test('begins as it can', () => {
    const begun = `@u_${placeholderToken}_0begun`

    expect(/^BEGIN \{/m.test(program)).toBe(hasEnd)
    expect(program.includes(`interval:ms:1 /${begun} == 0/ { ${begun} = 1;`)).toBe(!hasEnd)
  })

  test('ends with every word of its END, whether the gate is closed or not', () => {
    expect(/^END \{/m.test(program)).toBe(hasEnd)
    const bye = new RegExp(
      `(if \\(@stop_\\w+ == 0\\) \\{ )?@n_\\w+ = count\\(\\); printf\\([^;]*nsecs, 4[,)]`,
      'g',
    )
    const found = [...program.matchAll(bye)]

    // Without END it stands where the script ends itself, and where the gate closes.
    expect(found).toHaveLength(hasEnd ? 1 : 2)
    expect(found.map((match) => match[1])).toEqual(found.map(() => undefined))
    expect(program).toContain(`print(@u_${placeholderToken}_us);`)
    // END clears them.
    expect(program).not.toContain(`print(@u_${placeholderToken}_start)`)
  })

  test('counts before it ends itself', () => {
    expect(program).toContain(`@z_${placeholderToken} = count(); exit();`)
  })
})

test('the definition of a script is one', () => {
  expect(checkDefinition(madeOf(whole).probe.spec, 'whole')).toMatchObject({
    name: 'script',
    script: {},
  })
  expect(Object.keys(eventsOf(whole))).toEqual([
    'text',
    'tcp_connect',
    'join',
    'tcp_connect_2',
    'map',
  ])
})

test('a script that says nothing is a definition as well', () => {
  const made = madeOf('kprobe:f { $x = 1; }')

  expect(checkDefinition(made.probe.spec, 'own')).toBeTruthy()
  for (const version of dialectVersions) expect(renderedBy(made, version)).toContain('$x = 1;')
})

test('sections on one line stay apart, whatever becomes of BEGIN and END', () => {
  const source = '#include <a.h>\nEND { @a = 1; } BEGIN { @a = 2; } kprobe:f { @a = 3; }'
  for (const version of dialectVersions)
    expect(programOf(source, {}, version)).toMatch(/^#include <a\.h>$/m)
})

test('what stands in a list behind BEGIN or END is attached on every version', () => {
  const source = 'BEGIN, kprobe:f { @a = 1; } END, kprobe:g, kprobe:h { @b = 1; }'
  for (const version of dialectVersions) {
    const program = programOf(source, {}, version)
    expect(program).toMatch(/(?:^|BEGIN, )kprobe:f \{/m)
    expect(program).toMatch(/(?:^|END, )kprobe:g, kprobe:h \{/m)
  }
})

test('an END of its own that the script has not prints the maps that it has', () => {
  const source = 'kprobe:f { @a[comm] = count(); } kprobe:g { @b = 1; }'

  expect(programOf(source)).toMatch(/\nEND \{[^}]*print\(@u_\w+_a\);[^}]*print\(@u_\w+_b\);/)
  expect(programOf(source, {}, '0.11.3')).not.toContain('END')
})

test('an END with a predicate stays as it is', () => {
  const program = programOf('kprobe:f { @a = 1; } END /@a/ { printf("bye\\n"); }', {}, '0.11.3')

  expect(program).toMatch(/END \/@u_\w+_a\/ \{/)
})

test.each([
  ['a name in a text is no map', 'kprobe:f { @a["x@host"] = 1; }', 'clear(@host)'],
  ['the end has its own dollars', 'kprobe:f { exit(); } END { @a["$&$$"] = 1; }', '{{exits}}'],
])('%s', (_what, source, never) => {
  const program = programOf(source, {}, '0.11.3') + programOf(source, {}, '0.23.0')

  expect(program).not.toContain(never)
  if (source.includes('$&')) expect(countOf(program, '["$&$$"]')).toBe(3)
})

test.each([
  '#define X {{{emit text}}}\nkprobe:f { }',
  '#define X {{{{{ }}}}}\nkprobe:f { }',
  'kprobe:f {{emit text}}',
  'BEGIN{{emit text}}END{{end}}',
  'kprobe:f {{{ @a = 1;}}}',
  'kprobe:f {{@a = 1;}}',
  'kprobe:f { @a["{{emit text}}"] = 1; }',
  'kprobe:f { if (@a){@b = 1;}}',
  'kprobe:f { @a = {@b}; }',
  'kprobe:f /* {{emit x}} */ { // }}\n }',
  'kprobe:f { printf("%s\\n", @a["\nalways\naround exit()\n"]); }',
  'kprobe:f { printf("%s\\n", @a["{map b}"]); }',
])('%j has no directive of ours', (source) => {
  for (const version of dialectVersions) {
    const program = programOf(source, {}, version)
    expect(program).not.toContain('{{')
    expect(bare(program)).not.toMatch(/\{map|around/)
    expect(program).not.toMatch(/^always$/m)
  }
})

test('a field of the name of a word of emit is a field', () => {
  const program = programOf('kprobe:f { printf("%d %d\\n", $around, $always); }')

  expect(program).toContain(', $around, $always);')
})

describe('a call that acts on the machine', () => {
  test.each([
    'kprobe:f { system("id"); }',
    'kprobe:f { printf("a\\n"); if (pid) { system ("id"); } }',
    'kprobe:f { signal(9); }',
    'kprobe:f { signal /* x */ ("KILL"); }',
    'kprobe:f { override(1); }',
    'BEGIN { } END { system("id"); }',
    'macro m() { system("id") } kprobe:f { m(); }',
  ])('is refused without --unsafe: %s', (source) => {
    const error = errorOf(() => madeOf(source))

    expect(error).toMatchObject({ code: 'UNSAFE_SCRIPT', exitCode: 2 })
    expect(error.message).toMatch(/^line 1: (?:system|signal|override)\(\)/)
    expect(madeOf(source, { unsafe: true }).probe.spec.script).toEqual({ unsafe: true })
  })

  test.each([
    'kprobe:f { printf("system(1)\\n"); }',
    'kprobe:f { @a["signal(9)"] = 1; }',
    'kprobe:f { // system("id")\n /* override(1) */ }',
    'tracepoint:signal:signal_generate { @a = args->sig; }',
    'kprobe:system { @system = 1; $signal = 2; }',
    'kprobe:f { $x = args->signal; @a = $x; }',
    'kprobe:f { @override[1] = 1; }',
  ])('is none of: %s', (source) => {
    expect(madeOf(source).probe.spec.script).toEqual({})
  })

  test('is output, where it says something', () => {
    const { system } = eventsOf('kprobe:f { system("id %d", pid); }', { unsafe: true })

    expect(system?.table).toEqual(['time', 'output'])
  })
})

test('a macro stays as it is: it sees no maps but those it is given', () => {
  const { untyped, probe } = madeOf(
    'macro say($x) { printf("%d\\n", $x); } kprobe:f { say(1); printf("%d\\n", pid); }',
  )
  expect(untyped).toEqual(['line 1: printf'])
  expect(Object.keys(probe.spec.events)).toEqual(['f'])
  expect(probe.templates['bpftrace']).toContain('printf("%d\\n", $x);')
})

test('no control character of a file name or a script reaches a text for people', () => {
  const { spec } = defineScript({
    name: 'a\u001b[2J\n.bt',
    source: 'kprobe:f { printf("\u001b[31m%d\\x1b\\n", $a /* \u009b */ + 1); }',
    args: [],
    fields: new Map(),
    unsafe: false,
  }).probe
  const texts = JSON.stringify([spec.summary, spec.example, spec.events['f']])
  expect(texts).toContain('a [2J')
  expect(texts).not.toMatch(/\\u00|\u009b|\\n/)
})

describe.each(dialectVersions)('a command beside a script, bpftrace %s', (version) => {
  test.each([
    'BEGIN { @x = 1; }',
    'kprobe:f { printf("%s\\n", pid); } END { printf("bye\\n"); }',
    'kprobe:f { @x = 1; } END /@x/ { clear(@x); }',
  ])('is not followed, and brings no END of its own: %s', (source) => {
    const { probe } = madeOf(source)
    const plan = makePlan(probe, nothingAsked, factsFor(probe, version))

    expect(plan.render({ ...plan.placeholders, commandPid: 4711 })).toBe(
      programOf(source, {}, version),
    )
  })
})

test('a printf of 8 or 16 bits is as wide as bpftrace prints it', () => {
  const source =
    'kprobe:f { printf("%hhd %hhu %hhx %hd %hu %hX %d\\n", pid, pid, $c, $d, $e, $f, $g); }'
  const { fields = {} } = eventsOf(source)['f'] ?? {}

  expect(checkDefinition(madeOf(source).probe.spec, 'own')).toBeTruthy()
  expect(Object.values(fields).flatMap(({ conversion = [] }) => conversion)).toEqual([
    ...['%hhd', '%hhu', '%hhu', '%hd', '%hu', '%hu', '%d'],
  ])
  for (const version of dialectVersions)
    expect(programOf(source, {}, version)).toContain(
      String.raw`\t%hhd\t%hhu\t%hhu\t%hd\t%hu\t%hu\t%d`,
    )
})
