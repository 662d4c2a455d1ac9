import { expect, it } from 'vitest'

import { isAtLeast } from '../../src/plan/versions.ts'

it.each([
  ['0.17.0', '0.12.0', true],
  ['0.9.9', '0.12.0', false],
  ['0.12.0', '0.12.0', true],
  ['0.12.0', '0.12.1', false],
  ['1.0.0', '0.27.1', true],
])('%s is at least %s: %s', (version, least, expected) => {
  expect(isAtLeast(version, least)).toBe(expected)
})
