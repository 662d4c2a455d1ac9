import { readdirSync } from 'node:fs'
import { elfAddress, elfFunctions, elfUsdt } from './elf.ts'
import { no, unknown, yes } from './fact.ts'
import type { Fact, LibraryFacts, Questions } from './facts.ts'
import type { Read } from './read.ts'
import { markPlaces } from './usdt.ts'

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
  for (const path of placesOf(library, read)) {
    const file = readBytes(path)
    if ('errno' in file) continue
    const functions = elfFunctions(file.bytes)
    if (functions === null)
      return { path, functions: all(unknown(`${path} is no 64-bit ELF file that could be read`)) }
    const found = new Map(functions.map((each) => [each.name, each]))
    const asked = names.filter((name) => name.includes(':'))
    const notes = asked.length > 0 ? (elfUsdt(file.bytes) ?? []) : []
    const marks = Object.fromEntries(
      asked.map((each) => [
        each,
        markPlaces(
          notes.filter(({ provider, name }) => `${provider}:${name}` === each),
          (name) => elfAddress(file.bytes, name),
        ),
      ]),
    )
    const judge = (name: string): Fact => {
      if (name.includes(':'))
        return notes.some(({ provider, name: mark }) => `${provider}:${mark}` === name)
          ? yes(`${path} has the mark ${name}`)
          : no(`${path} has no mark ${name}`)
      const at = found.get(name)
      if (at === undefined) return no(`${path} has no function ${name}`)
      return at.isIndirect
        ? no(`${name} of ${path} only chooses the function that is called in its place`)
        : yes(`${path} has ${name}`)
    }
    return {
      path,
      functions: Object.fromEntries(names.map((name) => [name, judge(name)])),
      ...(asked.length > 0 ? { marks } : {}),
    }
  }
  return { path: null, functions: all(no(`no ${library} was found`)) }
}

/** Where a library may be: that of its name which our own process has loaded, then where libraries lie; a path is a place by itself. */
function placesOf(library: string, read: Read): readonly string[] {
  if (library.startsWith('/')) return [library]
  const known = libraryNames[library]
  const maps = read('/proc/self/maps')
  const loaded = 'text' in maps ? mappedFiles(maps.text) : []
  return [
    ...loaded.filter((path) => known?.loaded.test(path.slice(path.lastIndexOf('/') + 1))),
    ...(known?.places ?? []),
  ]
}

const libraryFolders = [
  ...['x86_64', 'aarch64'].flatMap((machine) => [
    `/lib/${machine}-linux-gnu`,
    `/usr/lib/${machine}-linux-gnu`,
  ]),
  ...['/lib64', '/usr/lib64', '/lib', '/usr/lib', '/usr/local/lib'],
]

/** The file that a user means: a path, a library's name with or without `.so` and its version, or a program on PATH. */
export function findUserFile(
  name: string,
  read: Read,
  findProgram: (name: string) => string | null,
): string | null {
  if (name.startsWith('/')) return name
  const [known] = libraryNames[name] === undefined ? [] : placesOf(name, read)
  if (known !== undefined) return known
  for (const folder of libraryFolders) {
    const [first] = filesOf(folder).filter((file) => file === name || file.startsWith(`${name}.so`))
    if (first !== undefined && (name.startsWith('lib') || first === name))
      return `${folder}/${first}`
  }
  return findProgram(name)
}

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
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
