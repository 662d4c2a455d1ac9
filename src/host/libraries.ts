import { elfFunctions } from './elf.ts'
import { no, unknown, yes } from './fact.ts'
import type { Fact, LibraryFacts, Questions } from './facts.ts'
import type { Read } from './read.ts'

/** File names of a library: what a loaded one is called, and where it lies when nothing has it loaded. */
interface LibraryNames {
  readonly loaded: RegExp
  readonly places: readonly string[]
}

const libraryNames: Readonly<Record<string, LibraryNames>> = {
  libc: {
    loaded: /^(?:libc\.so\.6|libc-2\.\d+\.so|ld-musl-\w+\.so\.1)$/,
    places: [
      ...['x86_64', 'aarch64'].map((machine) => `/lib/${machine}-linux-gnu/libc.so.6`),
      ...['/lib64', '/usr/lib64', '/lib', '/usr/lib'].map((folder) => `${folder}/libc.so.6`),
    ],
  },
}

/** How a machine is looked at. */
export interface LibrarySources {
  readonly read: Read
  readonly readBytes: (path: string) => { readonly bytes: Buffer } | { readonly errno: string }
}

/**
 * Where the libraries are that a probe asks for, and which of its functions they have. Our own process has the machine's C library
 * loaded, so its maps name it.
 */
export function findLibraries(
  asked: NonNullable<Questions['libraryFunctions']>,
  sources: LibrarySources,
): Record<string, LibraryFacts> {
  const libraries = [...new Set(asked.map(({ library }) => library))]
  return Object.fromEntries(
    libraries.map((library) => {
      const names = asked.filter((each) => each.library === library).map((each) => each.function)
      return [library, findLibrary(library, names, sources)]
    }),
  )
}

function findLibrary(
  library: string,
  names: readonly string[],
  { read, readBytes }: LibrarySources,
): LibraryFacts {
  const all = (fact: Fact) => Object.fromEntries(names.map((name) => [name, fact]))
  const known = libraryNames[library]
  const maps = read('/proc/self/maps')
  const loaded = 'text' in maps ? mappedFiles(maps.text) : []
  const candidates = [
    ...loaded.filter((path) => known?.loaded.test(path.slice(path.lastIndexOf('/') + 1))),
    ...(known?.places ?? []),
  ]
  for (const path of candidates) {
    const file = readBytes(path)
    if ('errno' in file) continue
    const found = elfFunctions(file.bytes, names)
    if (found === null)
      return { path, functions: all(unknown(`${path} is no 64-bit ELF file that could be read`)) }
    const judge = (name: string) =>
      found[name] === true ? yes(`${path} has ${name}`) : no(`${path} has no function ${name}`)
    return { path, functions: Object.fromEntries(names.map((name) => [name, judge(name)])) }
  }
  return { path: null, functions: all(no(`no ${library} was found`)) }
}

/** The files of /proc/PID/maps, each once, but those that were deleted. */
function mappedFiles(maps: string): readonly string[] {
  const paths = maps.split('\n').map((line) => /\s(\/.*)$/.exec(line)?.[1] ?? '')
  return [...new Set(paths)].filter((path) => path !== '' && !path.endsWith(' (deleted)'))
}

/** Whether uprobes can be attached: the perf device is there since 4.17 when CONFIG_UPROBE_EVENTS is. */
export function judgeUprobes(read: Read, lockdown: Fact): Fact {
  if (lockdown.is === 'yes') return no(`kernel lockdown; ${lockdown.evidence}`)
  const device = '/sys/bus/event_source/devices/uprobe'
  const type = read(`${device}/type`)
  if ('text' in type) return yes(`${device} is there`)
  const isSysfsThere = 'text' in read('/sys/bus/event_source/devices/software/type')
  return (isSysfsThere ? no : unknown)(`${device}: ${type.errno}`)
}
