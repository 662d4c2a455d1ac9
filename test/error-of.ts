import { EbpfRunError } from '../src/errors.ts'

/** The error of ours that a task throws; any other is passed on, and none is one. */
export function errorOf(task: () => unknown): EbpfRunError {
  try {
    task()
  } catch (error) {
    if (error instanceof EbpfRunError) return error
    throw error
  }
  throw new Error('no error')
}
