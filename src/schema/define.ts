import type { Kind, KindValue } from './kinds.ts'

/** One field of an event: everything that any product needs to know about it. */
export interface FieldSpec {
  readonly kind: Kind
  readonly doc: string
  /** Unit of the value where the kind does not say it. */
  readonly unit?: string
  /** The event can carry null here, whatever the variant. */
  readonly nullable?: true
  /** The number on the wire that stands for "no value" (of closed kinds). */
  readonly nullAs?: number | string
  /** A quantity: summaries add it up. Durations are anyway. */
  readonly measure?: true
  /** Bytes shown of a text (each item of `texts`); the program fetches one more, to know what was cut. */
  readonly bytes?: number
  /** An unread text arrives empty: the empty text means null. */
  readonly emptyIsNull?: true
  /** Number to name, of kind `enum`; of kind `result` where the numbers are no errnos. */
  readonly names?: Readonly<Record<number, string>>
  /** Of kind `enum`: what the names are, where they are too many to list. */
  readonly namesText?: string
  /** Of kind `enum`: the names are the running kernel's, from a tracepoint's print format; see names.ts. */
  readonly namesFrom?: { readonly tracepoint: string; readonly field: string }
  /** Of kind `enum`: the number is a set of bits. Their names, the lowest first, '' for a bit without one; shown joined by `|`, none as `NONE`. */
  readonly flags?: readonly string[]
  /** It came when there were recordings without it, which can still be replayed: it is null there. */
  readonly later?: true
  /** Its kind in recordings from before; it travels in the same form. */
  readonly was?: Kind
  /** The field a derived kind is computed from. */
  readonly of?: string
  /** The conversion that prints it, where the kind's own would print more: a script's `%d` is cut to 32 bits. */
  readonly conversion?: string
  /** Of kind `result`: it may be any number, such as an address; otherwise one of more than 32 bits is a mistake of the program. */
  readonly wide?: true
  /** Of kind `buckets`: how wide each is, in the field's unit; absent: they are powers of two. */
  readonly step?: number
  /** Of kind `constant`: what it is in every event or group, printable ASCII; null in groups alone. */
  readonly always?: string | null
  /** Of a group's field: variants in which there is none, with the reasons. */
  readonly absentIn?: Readonly<Record<string, string>>
  /** Of kind `entries`: what the maps hold, by their names. */
  readonly maps?: Readonly<Record<string, MapShape>>
  /** Table heading; default: the name in capitals. */
  readonly heading?: string
  /** Table width in columns; default: the kind's. */
  readonly width?: number
}

/** What a value of a map or a part of its key is, as far as the program's own text tells. */
export type KeyPart = 'number' | 'text' | 'stack' | 'any'

/** The keys and values of a map of a script. */
export interface MapShape {
  readonly key: readonly KeyPart[]
  readonly value: KeyPart
}

export type Fields = Readonly<Record<string, FieldSpec>>

/** One event type: what one record says. */
export interface EventSpec {
  readonly doc: string
  readonly fields: Fields
  /** Fields of the default table, in order; under 80 columns together. */
  readonly table: readonly string[]
}

/** What a variant needs of the host. Each is checked against host facts; a version alone is asked for only where nothing else shows the difference. */
export type Need =
  | { readonly tracepoint: string; readonly fields?: readonly string[]; readonly raw?: true }
  | { readonly function: string; readonly by: 'fentry' | 'kprobe' }
  /** A function of a library or program: its name, or its path. */
  | { readonly uprobe: string; readonly library: string }
  /** A mark that a program's author left, `PROVIDER:NAME`; `reads`: which of its arguments the template wants. */
  | { readonly usdt: string; readonly library: string; readonly reads?: readonly number[] }
  | { readonly btf: string }
  /** A variable of the kernel whose address /proc/kallsyms tells. */
  | { readonly symbol: string }
  | { readonly bpftrace: string }
  | { readonly bcc: string }
  /** Versions of the kernel. */
  | { readonly linux: string }
  | { readonly headers: true }
  | { readonly hook: Hook }

/** Where a program is attached to a network interface. */
export type Hook = 'xdp' | 'tcx' | 'clsact' | 'socket filter'

/** What runs a program; `tracefs` runs none, and reads what other programs print. */
export type BackendName = 'bpftrace' | 'bcc' | 'tracefs'

/** What a variant does without where none of these options holds, for people. */
export interface Lack {
  readonly options: readonly string[]
  readonly says: string
}

/** One way to do a probe. Variants stand in the order of preference. */
export interface VariantSpec {
  readonly name: string
  readonly backend: BackendName
  /** Template file beside the probe. */
  readonly template: string
  readonly needs: readonly Need[]
  /** Conditions that a template may ask with `{{when NAME}}`: what the host must have, or true for this variant. */
  readonly options?: Readonly<Record<string, Need | boolean>>
  readonly without?: readonly Lack[]
  /** What it needs beside `needs` where a switch of the probe is on; a text: why it cannot do that. */
  readonly switches?: Readonly<Record<string, readonly Need[] | string>>
  /** How many attach points it has, where they are so many that the kernel takes long to detach them; absent: few. */
  readonly attachPoints?: number
  /** Field to the reason why this variant leaves it null. */
  readonly cannotTell: Readonly<Record<string, string>>
  /** Why its events do not happen in the task, where those of other variants do. */
  readonly notInTask?: string
  /** Results that hold no errno here, with the reasons: what failed with which one cannot be asked for. */
  readonly neverFails?: Readonly<Record<string, string>>
  /** What the kernel may keep from this variant, for people. */
  readonly misses: string
  /** What it costs the traced machine, for people. */
  readonly cost: string
}

/** A number the user can set that the template reads as `{{param NAME}}`. */
export interface ProbeParam {
  readonly doc: string
  /** A time: it is typed with its unit (`10ms`), and the template reads nanoseconds. */
  readonly unit?: 'ns'
  readonly default: number
  readonly min: number
  readonly max: number
}

/** What the user can switch on. A template asks for it with `{{when NAME}}`; what it brings costs nothing without it. */
export interface ProbeSwitch {
  readonly doc: string
  /** Event types that there are only with it. */
  readonly events?: readonly string[]
  /** Fields that are null without it. */
  readonly fields?: readonly string[]
  /** Fields of the default table with it, of a probe with one event type. */
  readonly table?: readonly string[]
}

export interface ProbeSpec {
  readonly name: string
  readonly aliases?: readonly string[]
  /** One line, lower case, as it stands in `list`. */
  readonly summary: string
  readonly example: string
  readonly events: Readonly<Record<string, EventSpec>>
  /** Its programs are attached to network interfaces, which the user names. */
  readonly onInterfaces?: true
  /** Whose pid, comm, uid and cgroup the events carry. */
  readonly owner: 'task' | 'socket'
  /** Events happen in the task that they are of, so a program can ask it for more than they carry: see `notInTask` of a variant. */
  readonly inTask?: true
  /** What --failed and --ok look at: an event failed when any of these fields' numbers lies in its range. */
  readonly failed?: readonly {
    readonly field: string
    readonly min: number
    readonly max: number
  }[]
  readonly params?: Readonly<Record<string, ProbeParam>>
  readonly switches?: Readonly<Record<string, ProbeSwitch>>
  /** Libraries among its needs whose file the user can name, with what their option says. */
  readonly libraries?: Readonly<Record<string, { readonly doc: string }>>
  /** What is shown unless `--events` asks for each one: there are too many of them. */
  readonly aggregate?: {
    readonly by: readonly string[]
    /** The quantity whose histogram is drawn; without it there are counts, sums and quantiles. */
    readonly histogram?: string
    /** Tables show how long in all, where they show averages and quantiles of durations otherwise. */
    readonly totals?: true
    readonly intervalMs?: number
  }
  /** It is somebody's own program: it may end by itself, and `unsafe` lets it act on the machine. */
  readonly script?: { readonly unsafe?: true }
  /** Adds the per-namespace TCP counters to the run's account. */
  readonly tcpCounters?: true
  readonly variants: readonly VariantSpec[]
}

/** Keeps the literal types of a definition, so that event types can be inferred from it. */
export function defineProbe<const P extends ProbeSpec>(probe: P): P {
  return probe
}

type NullOf<F extends FieldSpec> = F extends
  | { nullable: true }
  | { nullAs: number | string }
  | { emptyIsNull: true }
  ? null
  : never

type CannotTell<P extends ProbeSpec> = P['variants'][number]['cannotTell'] extends infer C
  ? C extends Readonly<Record<string, string>>
    ? keyof C
    : never
  : never

type ValueOf<F extends FieldSpec> = F extends {
  kind: 'enum'
  names: infer N extends Readonly<Record<number, string>>
}
  ? N[keyof N] | `UNKNOWN_${number}`
  : F extends { always: infer A extends string }
    ? A
    : KindValue[F['kind']]

/** What every decoded event has beside its fields. */
export interface EventExtras {
  /** Texts that hold bytes outside UTF-8 (shown as `\xNN`), by field. */
  readonly escaped?: readonly string[]
  /** Texts and lists that were cut at the kernel's or our limit, by field. */
  readonly cut?: readonly string[]
}

/** The type of one event of a probe, inferred from the definition. */
export type EventOf<P extends ProbeSpec> = {
  [E in keyof P['events'] & string]: { readonly event: E } & {
    readonly [N in keyof P['events'][E]['fields'] & string]:
      | ValueOf<P['events'][E]['fields'][N]>
      | NullOf<P['events'][E]['fields'][N]>
      | (N extends CannotTell<P> ? null : never)
  } & EventExtras
}[keyof P['events'] & string]

/** An event whose probe is not known at compile time. */
export type AnyEvent = { readonly event: string } & Readonly<Record<string, unknown>> & EventExtras

/** True when the field can be null in this probe, in any variant. */
export function isNullable(probe: ProbeSpec, name: string, field: FieldSpec): boolean {
  return (
    field.nullable === true ||
    field.nullAs !== undefined ||
    field.emptyIsNull === true ||
    probe.variants.some((variant) => name in variant.cannotTell)
  )
}
