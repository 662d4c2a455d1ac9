import type { Value } from './compile.ts'

/*
 * C for bcc of a trace of user space. Expressions are those of bpftrace, whose operators are C's; casts, the task's own values, and
 * the comparison of texts differ.
 */

/** The task's name, kept in a variable where an expression asks for it. */
const taskName = 'task_name'

/** What an expression may say of the task, in C. */
export const tasksInC: Readonly<Record<string, Value>> = {
  pid: {
    type: { is: 'int', size: 4, signed: false },
    code: '(u32)(bpf_get_current_pid_tgid() >> 32)',
  },
  tid: { type: { is: 'int', size: 4, signed: false }, code: '(u32)bpf_get_current_pid_tgid()' },
  uid: { type: { is: 'int', size: 4, signed: false }, code: '(u32)bpf_get_current_uid_gid()' },
  cpu: { type: { is: 'int', size: 4, signed: false }, code: 'bpf_get_smp_processor_id()' },
  cgroup: { type: { is: 'int', size: 8, signed: false }, code: 'bpf_get_current_cgroup_id()' },
  ktime_ns: { type: { is: 'int', size: 8, signed: false }, code: 'bpf_ktime_get_ns()' },
  comm: { type: { is: 'text', bytes: 15 }, code: taskName },
}

/** Types of bpftrace's casts, as the kernel's headers call them. */
export function inC(code: string): string {
  return code.replace(/\((u?)int(8|16|32|64)\)/g, (_, unsigned: string, bits: string) =>
    unsigned === 'u' ? `(u${bits})` : `(s${bits})`,
  )
}

/** Whether two texts are equal: the task's name, and one that is written out. Null for any others. */
export function equalInC(a: string, b: string): string | null {
  const literal = [a, b].map((each) => /^"((?:\\x[0-9a-f]{2})*)"$/.exec(each)?.[1])
  const bytes = (literal[0] ?? literal[1])?.match(/[0-9a-f]{2}/g) ?? []
  if ((literal[0] === undefined) === (literal[1] === undefined)) return null
  // The name has 16 bytes with its end.
  if (bytes.length > 15) return '0'
  return `(${[...bytes, '00'].map((byte, at) => `${taskName}[${at}] == 0x${byte}`).join(' && ')})`
}

/** What a template is made of, its parts rendered. */
export interface UserProgram {
  /** Heads of the programs: at the call, null where nothing is kept there; and where the event is emitted. */
  readonly entry: string | null
  readonly attach: string
  /** What the names of its structs and maps end with. */
  readonly suffix: string
  /** A mark's arguments lie where its notes say, a function's in registers. */
  readonly isMark: boolean
  /** Only calls whose beginning was seen. */
  readonly isTimed: boolean
  readonly where: string | null
  /** Conditions on `pid` that leave out the run's own processes. */
  readonly others: readonly string[]
  readonly emit: string
  /** The numbers of the arguments that both have. */
  readonly used: readonly number[]
}

/** The numbers of the arguments that stand in some code. */
export function argumentsIn(code: string): readonly number[] {
  const found = [...code.matchAll(/\barg(\d+)\b/g)].map(([, number]) => Number(number))
  return [...new Set(found)].sort((a, b) => a - b)
}

export function templateInC(program: UserProgram): string {
  const { entry, attach, suffix, isMark, isTimed, where, others, emit, used } = program
  const leave =
    others.length === 0
      ? []
      : ['u32 pid = bpf_get_current_pid_tgid() >> 32;', `if (!(${others.join(' && ')})) return 0;`]
  const name = `${where ?? ''} ${emit}`.includes(taskName)
    ? [`char ${taskName}[16] = {};`, `bpf_get_current_comm(${taskName}, sizeof(${taskName}));`]
    : []
  const guarded = where === null ? emit : `if (${where}) {\n  ${emit}\n  }`
  if (isMark)
    return block(attach.replace('}}', `${used.map((index) => ` ${index}`).join('')}}}`), [
      ...leave,
      ...name,
      guarded,
      'return 0;',
    ])
  const parameter = (index: number) => `PT_REGS_PARM${index + 1}(ctx)`
  if (entry === null)
    return block(attach, [
      ...leave,
      ...used.map((index) => `u64 arg${index} = ${parameter(index)};`),
      ...name,
      guarded,
      'return 0;',
    ])
  const [struct, map] = [`call${suffix}`, `calls${suffix}`]
  return [
    `struct ${struct} {\n  u64 start;\n${used.map((index) => `  u64 arg${index};\n`).join('')}};\n`,
    `BPF_HASH(${map}, u32, struct ${struct}, {{keys}});\n\n`,
    block(entry, [
      ...leave,
      'u32 key = (u32)bpf_get_current_pid_tgid();',
      `struct ${struct} call = { ${['bpf_ktime_get_ns()', ...used.map(parameter)].join(', ')} };`,
      `{{kept ${map}.update(&key, &call)}}`,
      'return 0;',
    ]),
    '\n',
    block(attach, [
      ...leave,
      'u32 key = (u32)bpf_get_current_pid_tgid();',
      `struct ${struct} *call = ${map}.lookup(&key);`,
      ...(isTimed ? ['if (call == 0) return 0;'] : []),
      `u64 start = ${isTimed ? 'call->start' : '0'};`,
      ...used.map(
        (index) => `u64 arg${index} = ${isTimed ? '' : 'call == 0 ? 0 : '}call->arg${index};`,
      ),
      's64 retval = PT_REGS_RC(ctx);',
      ...name,
      guarded,
      `${map}.delete(&key);`,
      'return 0;',
    ]),
  ].join('')
}

function block(head: string, lines: readonly string[]): string {
  return `${head}\n{\n${lines.map((line) => `  ${line}\n`).join('')}}\n`
}
