import { attachPointText, nameInFile, type UserPoint } from '../attach/point.ts'
import { type Mark, markOf } from '../attach/usdt.ts'
import { userWay, userWayInC } from '../attach/user-ways.ts'
import type { Way } from '../attach/ways.ts'
import { exitCodes } from '../errors.ts'
import type { Fact } from '../host/facts.ts'
import { gatherFacts } from '../host/gather.ts'
import { type MarkPlace, markPlaces } from '../host/usdt.ts'
import { marksAt, type UserFile } from '../host/user-points.ts'
import { checkNeed } from '../plan/needs.ts'
import { dialectOfHost } from '../plan/requirements.ts'
import type { Io } from './io.ts'
import { withBcc } from './plan-on-host.ts'
import { fileOf, noSuchPoint } from './user-point-list.ts'

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
    /** Those of them that cannot be read, with the reason. */
    readonly unreadable: readonly { readonly argument: string; readonly why: string }[]
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
  const file = fileOf(point.file, io.env)
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
  const marks = marksAt(point, file)
  if (symbol === undefined && marks.length === 0)
    throw noSuchPoint(file, { type: point.type, file: point.file, wanted: nameInFile(point) })
  const places = markPlaces(marks, file.addressOf)
  const ways = await waysOf(point, marks.length === 0 ? null : markOf(places), env)
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
    places: marks.map((mark, index) => ({
      address: hex(mark.address),
      arguments: mark.arguments,
      unreadable: unreadableAt(places[index]),
      semaphore: mark.semaphore === 0n ? null : hex(mark.semaphore),
    })),
    hookable: { is: hookable.is, evidence: hookable.evidence },
    ways,
  }
}

const unreadableAt = (place: MarkPlace | undefined) =>
  (place?.arguments ?? []).flatMap(({ text, source }, index) =>
    source.is === 'unreadable' ? [{ argument: `arg${index}`, why: `${text}: ${source.why}` }] : [],
  )

/** Each way that `trace` has, and what stands against it here. */
async function waysOf(
  point: UserPoint,
  mark: Mark | null,
  env: NodeJS.ProcessEnv,
): Promise<Description['ways']> {
  const asked = { point, fields: [], where: null, atReturn: false, latency: false }
  const ways = [userWay(point, asked, mark), userWayInC(point, asked, mark)]
  const facts = await withBcc(
    await gatherFacts(
      {
        ...{ tracepoints: [], functions: [], members: [] },
        libraryFunctions: [{ library: point.file, function: nameInFile(point) }],
      },
      { env },
    ),
    env,
  )
  const dialect = dialectOfHost(facts)
  const judge = ({ needs, language }: Way): Fact => {
    const found = needs.map((need) => checkNeed(need, facts, language === 'c' ? null : dialect))
    const against = found.filter(({ is }) => is !== 'yes')
    const [first] = against
    return {
      is: first?.is ?? 'yes',
      evidence: (against.length > 0 ? against : found).map(({ evidence }) => evidence).join('; '),
    }
  }
  return ways.map((way) => ({ way: way.name, fact: judge(way) }))
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
    ...places.flatMap(({ address, arguments: args, unreadable, semaphore }) => [
      `  at ${address}; arguments: ${args === '' ? 'none' : args}${semaphore === null ? '' : `; counter at ${semaphore}`}`,
      ...unreadable.map(({ argument, why }) => `    ${argument} cannot be read; ${why}`),
    ]),
    `can be hooked here: ${hookable.is}`,
    ...(hookable.is === 'yes' ? [] : [`  - ${hookable.evidence}`]),
    'ways to attach here, the best first:',
    ...ways.map(({ way, fact }) => `  ${fact.is === 'yes' ? '+' : '-'} ${way}: ${fact.evidence}`),
    '',
  ].join('\n')
}
