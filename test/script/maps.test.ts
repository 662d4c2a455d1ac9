import { describe, expect, test } from 'vitest'
import { tokenize } from '../../src/script/lexer.ts'
import { shapesOf, unknownShape } from '../../src/script/maps.ts'
import { eventsOf } from './made.ts'

const shapeOf = (body: string, name = 'a') => shapesOf(tokenize(`kprobe:f { ${body} }`)).get(name)

describe('the shape of a map', () => {
  test.each([
    ['@a = count();', [], 'number'],
    ['@a = hist(nsecs - @s[tid]);', [], 'number'],
    ['@a[comm] = sum(arg0);', ['text'], 'number'],
    ['@a[comm, pid] = 1;', ['text', 'number'], 'number'],
    ['@a[pid, f(1, 2), "x"] = 1;', ['number', 'any', 'text'], 'number'],
    ['@a[kstack, ustack(3)] = count();', ['stack', 'stack'], 'number'],
    ['@a[str(arg0)]++;', ['text'], 'number'],
    ['@a[tid] += 5;', ['number'], 'number'],
    ['@a[arg0] = comm;', ['number'], 'text'],
    ['@a[retval] = kstack;', ['number'], 'stack'],
    ['@a[$x] = $y;', ['any'], 'any'],
    ['$x = pid; $y = str(arg0); @a[$x] = $y;', ['number'], 'text'],
    ['$x = $x; @a[$x] = 1;', ['any'], 'number'],
    ['@a[args->x] = args->y;', ['any'], 'any'],
    // Of two kinds it is either.
    ['@a[pid] = 1; @a[comm] = 2;', ['any'], 'number'],
    ['@a[pid] = 1; @a[pid, tid] = 2;', ['any'], 'number'],
    ['@a = 1; @a = comm;', [], 'any'],
    // Who only reads it tells no value.
    ['@a[pid] = 1; $x = @a[pid]; delete(@a[pid]);', ['number'], 'number'],
    ['if (@a[pid] == 1) { }', ['number'], 'any'],
    ['@a [ pid ] = /* x */ 1;', ['number'], 'number'],
    ['// @a[comm] = 2\n @a[pid] = 1;', ['number'], 'number'],
  ])('%s', (body, key, value) => {
    expect(shapeOf(body)).toEqual({ key, value })
  })

  test('of one without a name is known as well', () => {
    expect(shapeOf('@[comm] = count();', '')).toEqual({ key: ['text'], value: 'number' })
    expect(shapeOf('@a = 1;', 'b')).toBeUndefined()
  })
})

test('the event of maps has the shapes of those that are shown, once each', () => {
  const source = `kprobe:f { @a[comm] = count(); @b = 1; print(@a); print(@a); print(@c); }
END { clear(@b); print(@["x"]); }`
  const fields = eventsOf(source)['map']?.fields

  expect(fields?.['map']?.names).toEqual({ 1: '@a', 2: '@c', 3: '@' })
  expect(fields?.['entries']?.maps).toEqual({
    '@a': { key: ['text'], value: 'number' },
    '@c': unknownShape,
    '@': { key: ['text'], value: 'any' },
  })
})
