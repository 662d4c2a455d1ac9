/** A promise and the means to settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

export function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, 'promise'> = { resolve: () => {}, reject: () => {} }
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return {
    promise,
    resolve: (value) => settle.resolve(value),
    reject: (error) => settle.reject(error),
  }
}

/** Whether the promise resolves within this time. */
export async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const won = await Promise.race([promise.then(() => true), timeout])
  clearTimeout(timer)
  return won
}

/** Something that happens again and again, to be waited for. */
export interface Pulse {
  beat(): void
  /** Resolves at the next beat, or after this time. */
  next(mostMs: number): Promise<void>
}

export function createPulse(): Pulse {
  let waiting: (() => void) | null = null
  return {
    beat: () => waiting?.(),
    next: (mostMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(done, mostMs)
        function done(): void {
          clearTimeout(timer)
          waiting = null
          resolve()
        }
        waiting = done
      }),
  }
}
