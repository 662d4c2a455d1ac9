import { syscalls32, syscalls64 } from './syscalls.ts'

/** Added to the number of a 32-bit program's call, so that both fit into one field. */
const of32 = 65_536

/** Number to name of the system calls on x86-64; those of 32-bit programs stand 65,536 higher. */
export const syscallNames: Readonly<Record<number, string>> = {
  ...syscalls64,
  ...Object.fromEntries(
    Object.entries(syscalls32).map(([number, name]) => [Number(number) + of32, `i386_${name}`]),
  ),
}
