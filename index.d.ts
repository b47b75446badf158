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

/** What becomes of what RFC 9110 and 9112 forbid and core lets through; see docs/HARDENING.md. */
export type Hardening = 'strict' | 'audit' | 'off'

/** What the listeners of `'hardening'` get, at most once a second for each row. */
export interface HardeningEvent {
  /** The row's name, as in docs/HARDENING.md. */
  row: string
  /** How often it was met since its last event. */
  count: number
  /** Whether it was refused: in mode `'strict'`. */
  refused: boolean
  /** Null for a request that has no connection yet. */
  socket: import('node:stream').Duplex | null
  remoteAddress: string | undefined
}

/** The names of the limits of a server, what each counts, and its unit: see docs/LIMITS.md. */
export type LimitName = 'connections' | 'connectionsPerAddress' | 'connectionsPerSecond' | 'requests' | 'requestsWaiting' |
  'bufferedBytes' | 'bufferedBytesInAll' | 'bodySize' | 'bodyBytesPerSecond' | 'headersTimeout' | 'bodyTimeout'

/** A number, or a number and what becomes of what is beyond. */
export type Limit<Then extends string> = number | { max: number, then?: Then | undefined }

/** What a server takes at most, kept by the threads that read; see docs/LIMITS.md. */
export interface ServerLimits {
  connections?: Limit<'wait' | 'close' | 'answer'> | undefined
  connectionsPerAddress?: Limit<'close' | 'answer'> | undefined
  connectionsPerSecond?: Limit<'wait' | 'close' | 'answer'> | undefined
  requests?: Limit<'answer' | 'wait' | 'close'> | undefined
  requestsWaiting?: Limit<'answer' | 'wait' | 'close'> | undefined
  bufferedBytes?: Limit<'wait' | 'close'> | undefined
  bufferedBytesInAll?: Limit<'wait' | 'close'> | undefined
  bodySize?: Limit<'answer' | 'close'> | undefined
  bodyBytesPerSecond?: Limit<'answer' | 'close'> | undefined
  /** Milliseconds. */
  headersTimeout?: Limit<'answer' | 'close'> | undefined
  /** Milliseconds. */
  bodyTimeout?: Limit<'answer' | 'close'> | undefined
  /** Seconds that a client is told to wait that gets 503 or 429; 1 if not given. */
  retryAfter?: number | undefined
  /** Milliseconds over which `bodyBytesPerSecond` is measured, at least 1; 5000 if not given. */
  bodyGrace?: number | undefined
  /** A path that is answered with the server's health, also while JavaScript is blocked. */
  healthPath?: string | undefined
}

/** What the listeners of `'limit'` get, at most once a second: how often each limit was met since the last time, of those that were. */
export type LimitCounts = { [limit in LimitName]?: number }

/** A histogram of durations, in seconds; see docs/STATS.md for its buckets. */
export interface StatsHistogram {
  readonly count: number
  readonly sum: number
  readonly mean: number
  /** As `percentile(100)`. */
  readonly max: number
  /**
   * The duration that so many percent did not exceed, as the upper bound of its bucket: at most 10 % or 1 µs too high; 0 if
   * nothing was counted, `Infinity` above 100 s.
   */
  percentile(percent: number): number
  /** How many took at most so long. */
  upTo(seconds: number): number
  /** Those that are not empty, with their upper bounds. */
  buckets(): { le: number, count: number }[]
  /** What was counted since: of an earlier one of the same owner. */
  since(earlier: StatsHistogram): StatsHistogram
  toJSON(): { count: number, sum: number, mean: number, max: number, p50: number, p90: number, p99: number, p999: number }
}

export type StatsStatus = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'other'

/** What has ended connections. */
export type StatsReason = 'client' | 'server' | 'idleTimeout' | 'keepAliveTimeout' | 'headersTimeout' | 'requestTimeout' | 'parseError' |
  'limit' | 'upgraded' | 'error'

/** How long JavaScript let heads wait, and how long it took for turns of the event loop: of the whole thread. */
export interface EventLoopStats {
  queue: StatsHistogram
  turn: StatsHistogram
}

interface PrometheusText {
  /**
   * Prometheus' text format, 0.0.4. `labels` are added to each sample.
   * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
   */
  toPrometheus(options?: { labels?: Record<string, string> | undefined }): string
}

/** What a server has counted; see docs/STATS.md. */
export interface ServerStats extends PrometheusText {
  /** How often each limit was met that was; see docs/LIMITS.md. */
  limits: LimitCounts
  connections: {
    open: number
    opened: number
    /** Connections that have left HTTP. */
    upgrades: number
    closed: Record<StatsReason, number>
    /** By the code of the error. */
    errors: Record<string, number>
  }
  requests: {
    total: number
    active: number
    /** Those whose connection ended before their answer did. */
    unanswered: number
    byMethod: Record<string, number>
    activeByMethod: Record<string, number>
    byStatus: Partial<Record<StatsStatus, number>>
  }
  bytes: { received: number, sent: number }
  /** By the code of the error. */
  parseErrors: Record<string, number>
  timeouts: { idle: number, keepAlive: number, headers: number, request: number }
  timeToFirstByte: StatsHistogram
  timeToLastByte: StatsHistogram
  eventLoop: EventLoopStats
}

/** What an agent has counted; see docs/STATS.md. */
export interface AgentStats extends ServerStats {
  pool: {
    /** Connections and requests of now; not in the sum of all agents. */
    active?: number
    idle?: number
    waiting?: number
    reused: number
    stale: number
    queued: number
    retried: number
    /** Connections that could not be made, by the code of the error. */
    failed: Record<string, number>
  }
}

/** What all servers and agents of this thread have counted, those that are gone included. */
export interface AllStats extends PrometheusText {
  servers: ServerStats
  agents: AgentStats
  eventLoop: EventLoopStats
}

/** Not there where the native part is not at work. */
export const stats: (() => AllStats) | undefined

declare module 'http' {
  interface ServerOptions {
    /** What becomes of what the RFCs forbid and core lets through; `'off'` if not given. See docs/HARDENING.md. */
    hardening?: 'strict' | 'audit' | 'off' | undefined
    /** What the server takes at most; see docs/LIMITS.md. */
    limits?: ServerLimits | undefined
  }
  interface Agent {
    /** What the agent has counted. Not there where the native part is not at work. */
    stats?(): AgentStats
  }
  interface AgentOptions {
    /** Sends a request that a closed kept connection has lost once more, if it may be repeated; see docs/AGENT.md. */
    retryStale?: boolean | undefined
    /** What becomes of answers, and of requests, that the RFCs forbid and core lets through; see docs/HARDENING.md. */
    hardening?: 'strict' | 'audit' | 'off' | undefined
  }
  interface RequestOptions {
    /** The same; outranks the agent's. */
    hardening?: 'strict' | 'audit' | 'off' | undefined
  }
  interface Agent {
    /** How often each row of docs/HARDENING.md was met, by its name. Not there where the native part is not at work. */
    hardeningCounts?(): { [row: string]: number }
  }
  interface Server {
    /**
     * Ends the server without losing a request. Not there where the native part is not at work.
     * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE; rejects with ERR_SERVER_NOT_RUNNING
     */
    shutdown?(options?: ShutdownOptions): Promise<ShutdownSummary>
    /** How often each row of docs/HARDENING.md was met, by its name. Not there where the native part is not at work. */
    hardeningCounts?(): { [row: string]: number }
    /** What the server has counted. Not there where the native part is not at work. */
    stats?(): ServerStats
  }
}

/** Whether the native part is at work, or else why not: then everything here is core's. */
export const native: {
  readonly active: boolean
  /** Its `code` is listed in docs/ERRORS.md; its `cause` is what Node or the system said. */
  readonly reason: (Error & { code?: string }) | null
  /** Counts what the native part has at the moment, to look for a leak; null where core serves. */
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
