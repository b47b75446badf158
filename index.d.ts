/**
 * The types are Node's own: whatever type-checks against `node:http` does here, and objects pass both ways.
 * They come from `@types/node`, in the version that the project using this package has chosen.
 */
export * from 'node:http'

/** Whether the native part is at work, or else why not: then everything here is core's. */
export const native: {
  readonly active: boolean
  /** Its `code` is listed in docs/ERRORS.md; its `cause` is what Node or the system said. */
  readonly reason: (Error & { code?: string }) | null
}
