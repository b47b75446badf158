/** As index.d.ts, with the default export that ES modules see. */
export * from './index.js'

import * as http from './index.js'
export default http
