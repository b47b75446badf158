/**
 * The types are Node's own: whatever type-checks against `node:http` does here, and objects pass both ways.
 * They come from `@types/node`, in the version that the project using this package has chosen.
 */
export * from 'node:http'
