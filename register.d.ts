/**
 * Loaded for its effect: from then on `http` and `node:http` are http-native, for `require`, `import` and
 * `process.getBuiltinModule`.
 *
 *     node --require http-native/register app.js
 */

/**
 * Puts core's `http` back, for tests. What was made or taken meanwhile stays, and so does an `https` that was loaded
 * meanwhile.
 */
export function unregister (): void
