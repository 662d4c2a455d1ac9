import { release, version } from 'node:os'

import { indexBtf, openTypes } from './btf-layout.ts'
import type { Btf } from './btf-types.ts'
import { openCached, writeCached } from './cache.ts'
import { no, unknown, yes } from './fact.ts'
import type { Fact } from './facts.ts'
import { fingerprint } from './fingerprint.ts'
import { type FilePages, openPages, type Pages, pagesOf } from './pages.ts'
import { errnoOf } from './read.ts'

/** BTF of the running kernel. `close` when all is looked up. */
export interface KernelBtf {
  readonly fact: Fact
  readonly btf: Btf | null
  close(): void
}

const btfFile = '/sys/kernel/btf/vmlinux'

/** Opens the kernel's BTF, of which only what is asked for is read, by an index that is made once for a kernel. Never throws. */
export function openKernelBtf(env: NodeJS.ProcessEnv): KernelBtf {
  try {
    return look(openPages(btfFile), env)
  } catch (error) {
    const errno = errnoOf(error)
    return {
      fact: (errno === 'ENOENT' ? no : unknown)(`${btfFile}: ${errno}`),
      btf: null,
      close() {},
    }
  }
}

function look(file: FilePages, env: NodeJS.ProcessEnv): KernelBtf {
  const cacheName = `btf-${fingerprint([release(), version(), String(file.length)])}.idx`
  const kept = openCached(cacheName, env)
  const known = kept === null ? null : openTypes(file, kept)
  const types = known ?? readWhole(file, (index) => writeCached(cacheName, index, env))
  return {
    fact:
      types === null
        ? no(`${btfFile} is not BTF of this machine's byte order`)
        : yes(`${btfFile}: ${file.length} bytes`),
    btf: types === null ? null : { index: types },
    close() {
      file.close()
      kept?.close()
    },
  }
}

function readWhole(file: Pages, keep: (index: Buffer) => void) {
  const bytes = file.bytes(0, file.length)
  const index = indexBtf(bytes)
  if (index === null) return null
  keep(index)
  return openTypes(pagesOf(bytes), pagesOf(index))
}
