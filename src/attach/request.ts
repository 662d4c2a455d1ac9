import type { Signature } from '../host/btf-types.ts'
import type { TracepointField } from '../host/facts.ts'
import type { ProbeSpec } from '../schema/define.ts'
import type { Scope } from './compile.ts'
import type { AttachPoint } from './point.ts'
import type { Mark } from './usdt.ts'

/** What is known of the attach point on this kernel. */
export interface Known {
  /** Of a function or a raw tracepoint. */
  readonly signature: Signature | null
  /** Of a tracepoint; of a function that is the wrapper of a system call, those of the call's own tracepoint. */
  readonly fields: readonly TracepointField[] | null
  /** Of a raw tracepoint: where its event is listed, which tells that it can be attached. */
  readonly category: string | null
  /** Of a mark in a program; absent: it is none. */
  readonly mark?: Mark
  readonly member: Scope['member']
  readonly members: Scope['members']
}

/** One `field=expression[:kind]` of a command line, parsed. */
export interface FieldRequest {
  readonly name: string
  readonly source: string
  readonly kind: string | null
}

export interface TraceRequest {
  readonly point: AttachPoint
  readonly fields: readonly FieldRequest[]
  /** One more field: what --hist draws. */
  readonly drawn?: FieldRequest
  readonly where: string | null
  /** At the function's return; its own type may say so too. */
  readonly atReturn: boolean
  /** One event for each call, with the time from entry to return. */
  readonly latency: boolean
  /** Each event has the kernel's call stack. */
  readonly stack?: boolean
  /** Of several in one program: the event's name, and what the names of its maps end with. */
  readonly part?: { readonly event: string; readonly maps: string }
}

/** A probe that a program made: a definition, and a template for each variant. */
export interface MadeProbe {
  readonly spec: ProbeSpec
  readonly templates: Readonly<Record<string, string>>
}
