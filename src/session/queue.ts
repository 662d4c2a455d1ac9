/** What the filling side wants to know. */
export interface QueueEvents {
  /** The consumer is behind: stop reading. */
  onBehind(): void
  onDrained(): void
}

const high = 8_192
const low = 1_024

/** Events between a session and one consumer that pulls them. Holds what was already read; beyond `high` the reading stops. */
export class EventQueue<Event> {
  private items: Event[] = []
  private head = 0
  private waiting: (() => void) | null = null
  private isOver = false
  private error: unknown = null
  private isBehind = false
  private readonly events: QueueEvents

  constructor(events: QueueEvents) {
    this.events = events
  }

  push(event: Event): void {
    if (this.isOver) return
    this.items.push(event)
    if (!this.isBehind && this.items.length - this.head >= high) {
      this.isBehind = true
      this.events.onBehind()
    }
    this.wake()
  }

  /** No more events; with an error the iterator throws it after the last event. */
  end(error: unknown): void {
    this.isOver = true
    this.error = error
    this.wake()
  }

  /** One consumer's iterator. Leaving it early calls `onReturn`. */
  async *iterator(onReturn: () => Promise<void>): AsyncGenerator<Event> {
    try {
      for (;;) {
        const event = this.items[this.head]
        if (event !== undefined) {
          this.head += 1
          this.compact()
          yield event
          continue
        }
        if (this.isOver) break
        await new Promise<void>((resolve) => {
          this.waiting = resolve
        })
      }
      if (this.error !== null) throw this.error
    } finally {
      if (!this.isOver) await onReturn()
    }
  }

  private compact(): void {
    if (this.head < low) return
    this.items = this.items.slice(this.head)
    this.head = 0
    if (this.isBehind && this.items.length <= low) {
      this.isBehind = false
      this.events.onDrained()
    }
  }

  private wake(): void {
    this.waiting?.()
    this.waiting = null
  }
}
