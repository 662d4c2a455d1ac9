import { realpathSync } from 'node:fs'

import { type ElfFunction, elfAddress, elfFunctions, elfUsdt, type UsdtProbe } from './elf.ts'
import { findUserFile } from './libraries.ts'
import { readBytes, readHost } from './read.ts'
import { findTool } from './tools.ts'
import type { AddressOf } from './usdt.ts'

/** A program or library, and what can be hooked in it. */
export interface UserFile {
  /** Without links. */
  readonly path: string
  readonly functions: readonly ElfFunction[]
  readonly marks: readonly UsdtProbe[]
  readonly addressOf: AddressOf
}

/** Looks a program or library up by its path or name. `why`: it was not found, or is no ELF file. */
export function readUserFile(
  name: string,
  env: NodeJS.ProcessEnv,
): UserFile | { readonly why: string } {
  const found = findUserFile(name, readHost, (program) => findTool(program, env))
  if (found === null) return { why: `no library and no program ${name} was found` }
  const path = realPath(found)
  const file = readBytes(path)
  if ('errno' in file) return { why: `${path}: ${file.errno}` }
  const functions = elfFunctions(file.bytes)
  const marks = elfUsdt(file.bytes)
  if (functions === null || marks === null)
    return { why: `${path} is no 64-bit ELF file that could be read` }
  return { path, functions, marks, addressOf: (each) => elfAddress(file.bytes, each) }
}

/** The places of a mark in a file; none where the attach point is a function. */
export function marksAt(
  point: { readonly name: string; readonly provider?: string },
  { marks }: UserFile,
): readonly UsdtProbe[] {
  return marks.filter(({ provider, name }) => provider === point.provider && name === point.name)
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
