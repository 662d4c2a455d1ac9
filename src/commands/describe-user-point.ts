import { attachPointText, type UserPoint } from '../attach/point.ts'
import { parseUsdtArguments } from '../attach/usdt-arguments.ts'
import { userWay, userWayInC } from '../attach/user-ways.ts'
import { editDistance } from '../catalog/nearest.ts'
import { nearNames } from '../attach/suggest.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import type { UsdtProbe } from '../host/elf.ts'
import type { Fact } from '../host/facts.ts'
import { gatherFacts } from '../host/gather.ts'
import { readUserFile, type UserFile } from '../host/user-points.ts'
import { checkNeed } from '../plan/needs.ts'
import { dialectOfHost } from '../plan/requirements.ts'
import type { Need } from '../schema/define.ts'
import type { Io } from './io.ts'
import { withBcc } from './plan-on-host.ts'

/** What is known of a function or mark of a program or library. */
interface Description {
  readonly attach_point: string
  readonly file: string
  /** Of a function: where it lies in the file, and its bytes. */
  readonly symbol: { readonly address: string; readonly size: number } | null
  /** Of a mark: each place where it stands. */
  readonly places: readonly {
    readonly address: string
    readonly arguments: string
    /** Where the counter is that the kernel raises while it is traced; null for none. */
    readonly semaphore: string | null
  }[]
  readonly hookable: Fact
  readonly ways: readonly { readonly way: string; readonly fact: Fact }[]
}

/** `ebpf-run describe uprobe:FILE:FUNCTION`, `usdt:FILE:PROVIDER:NAME`. Throws NO_MATCH. */
export async function describeUserPoint(
  point: UserPoint,
  output: 'table' | 'json',
  io: Io,
): Promise<number> {
  const file = readUserFile(point.file, io.env)
  if ('why' in file) throw new EbpfRunError({ code: 'NO_MATCH', message: file.why })
  const made = await look({ ...point, file: file.path }, file, io.env)
  io.stdout(output === 'json' ? `${JSON.stringify(made, null, 2)}\n` : textOf(made))
  return exitCodes.ok
}

async function look(
  point: UserPoint,
  file: UserFile,
  env: NodeJS.ProcessEnv,
): Promise<Description> {
  const symbol =
    point.type === 'uprobe' ? file.functions.find(({ name }) => name === point.name) : undefined
  const marks =
    point.type === 'usdt'
      ? file.marks.filter(
          ({ provider, name }) => provider === point.provider && name === point.name,
        )
      : []
  if (symbol === undefined && marks.length === 0) throw noSuch(point, file)
  const ways = await waysOf(point, marks, env)
  const hookable: Fact = symbol?.isIndirect
    ? {
        is: 'no',
        evidence: `${point.name} only chooses the function that is called in its place: hook that one`,
      }
    : ((ways.find(({ fact }) => fact.is === 'yes') ?? ways[0])?.fact ?? {
        is: 'unknown',
        evidence: '',
      })
  return {
    attach_point: attachPointText(point),
    file: file.path,
    symbol: symbol === undefined ? null : { address: hex(symbol.address), size: symbol.size },
    places: marks.map((mark) => ({
      address: hex(mark.address),
      arguments: mark.arguments,
      semaphore: mark.semaphore === 0n ? null : hex(mark.semaphore),
    })),
    hookable: { is: hookable.is, evidence: hookable.evidence },
    ways,
  }
}

/** Each way that `trace` has, and what stands against it here. */
async function waysOf(
  point: UserPoint,
  [mark]: readonly UsdtProbe[],
  env: NodeJS.ProcessEnv,
): Promise<Description['ways']> {
  const asked = { point, fields: [], where: null, atReturn: false, latency: false }
  const ways = [
    userWay(
      point,
      asked,
      mark === undefined ? null : parseUsdtArguments(mark.arguments),
      mark !== undefined && mark.semaphore !== 0n,
    ),
    ...(point.type === 'uprobe' ? [userWayInC(point, asked)] : []),
  ]
  const name = point.type === 'usdt' ? `${point.provider}:${point.name}` : point.name
  const facts = await withBcc(
    await gatherFacts(
      {
        ...{ tracepoints: [], functions: [], members: [] },
        libraryFunctions: [{ library: point.file, function: name }],
      },
      { env },
    ),
    env,
  )
  const dialect = dialectOfHost(facts)
  const judge = (needs: readonly Need[]): Fact => {
    const found = needs.map((need) => checkNeed(need, facts, dialect))
    const against = found.filter(({ is }) => is !== 'yes')
    const [first] = against
    return {
      is: first?.is ?? 'yes',
      evidence: (against.length > 0 ? against : found).map(({ evidence }) => evidence).join('; '),
    }
  }
  return ways.map(({ name: way, needs }) => ({ way, fact: judge(needs) }))
}

function noSuch(point: UserPoint, file: UserFile): EbpfRunError {
  const isMark = point.type === 'usdt'
  const names = isMark
    ? file.marks.map(({ provider, name }) => `${provider}:${name}`)
    : file.functions.map(({ name }) => name)
  const wanted = isMark ? `${point.provider}:${point.name}` : point.name
  const near = nearNames(
    wanted,
    [...new Set(names)].map((name) => `${point.type}:${name}`),
    editDistance,
  )
  return new EbpfRunError({
    code: 'NO_MATCH',
    message: `${file.path} has no ${isMark ? 'mark' : 'function'} ${wanted}`,
    remedy:
      near.length > 0
        ? `did you mean ${near.map((each) => each.replace(':', `:${point.file}:`)).join(', ')}?`
        : `ebpf-run list --attach-points '${point.type}:${point.file}:*'`,
  })
}

const hex = (address: bigint): string => `0x${address.toString(16)}`

function textOf({ attach_point: point, symbol, places, hookable, ways }: Description): string {
  return [
    point,
    ...(symbol === null
      ? []
      : [
          `  at ${symbol.address}, ${symbol.size} bytes; arguments: arg0 to arg5, in registers, of unknown types`,
        ]),
    ...places.map(
      ({ address, arguments: args, semaphore }) =>
        `  at ${address}; arguments: ${args === '' ? 'none' : args}${semaphore === null ? '' : `; counter at ${semaphore}`}`,
    ),
    `can be hooked here: ${hookable.is}`,
    ...(hookable.is === 'yes' ? [] : [`  - ${hookable.evidence}`]),
    'ways to attach here, the best first:',
    ...ways.map(({ way, fact }) => `  ${fact.is === 'yes' ? '+' : '-'} ${way}: ${fact.evidence}`),
    '',
  ].join('\n')
}
