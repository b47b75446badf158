/**
 * The types are Node's own: whatever type-checks against `node:http` does here, and objects pass both ways.
 * They come from `@types/node`, in the version that the project using this package has chosen.
 */
export * from 'node:http'

/** What `server.shutdown()` takes; see docs/SHUTDOWN.md. */
export interface ShutdownOptions {
  /** Milliseconds until what is left is cut off; 10,000 if not given. */
  timeout?: number | undefined
  /** Milliseconds for which a connection may rest until it is closed; 500 if not given, 0: it is closed at once. */
  idleTimeout?: number | undefined
  /** What becomes of connections that have come and were not seen by JavaScript yet; they are served if not given. */
  backlog?: 'serve' | 'refuse' | undefined
  /** Brings the deadline forward. */
  signal?: AbortSignal | undefined
}

export interface ShutdownSummary {
  /** Requests that were answered since the call. */
  served: number
  /** Connections that were closed with `backlog: 'refuse'`. */
  refused: number
  /** Requests without an answer, and upgraded sockets, that were cut off at the deadline. */
  cut: number
}

declare module 'http' {
  interface AgentOptions {
    /** Sends a request that a closed kept connection has lost once more, if it may be repeated; see docs/AGENT.md. */
    retryStale?: boolean | undefined
  }
  interface Server {
    /**
     * Ends the server without losing a request. Not there where the native part is not at work.
     * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE; rejects with ERR_SERVER_NOT_RUNNING
     */
    shutdown?(options?: ShutdownOptions): Promise<ShutdownSummary>
  }
}

/** Whether the native part is at work, or else why not: then everything here is core's. */
export const native: {
  readonly active: boolean
  /** Its `code` is listed in docs/ERRORS.md; its `cause` is what Node or the system said. */
  readonly reason: (Error & { code?: string }) | null
  /** Counts what the native part has at the moment, for those who look for a leak; null where core serves. */
  objects(): NativeObjects | null
}

/** What the native part has at a moment. */
export interface NativeObjects {
  /** Connections in the process that anything refers to, those of worker threads included. */
  connections: number
  /** Those of this thread that JavaScript has not been told the end of. */
  known: number
  /** Those whose socket is read by the JS thread. */
  lent: number
  listeners: number
  /** What the events weigh that wait for JavaScript, bytes. */
  waiting: number
}
