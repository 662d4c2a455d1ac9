import { randomInt } from 'node:crypto'

const digits = '0123456789abcdef'

/**
 * A run's token: 16 hexadecimal digits, 60 bits. The first is 1 to 7, so that it is a positive 64-bit number that prints with
 * all its digits, and stands nowhere else in the token, so that no text before a token can begin one early.
 */
export function drawToken(): string {
  const first = digits[randomInt(1, 8)] ?? '1'
  const others = digits.replace(first, '')
  return first + Array.from({ length: 15 }, () => others[randomInt(others.length)]).join('')
}
