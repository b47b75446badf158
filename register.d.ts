/**
 * Loaded for its effect: from then on `http` and `node:http` are http-native, for `require`, `import` and
 * `process.getBuiltinModule`.
 *
 *     node --require http-native/register app.js
 */
export {}
