import { createRequire } from 'node:module';

/** The version of this package; src/ and dist/ both lie one level below package.json. */
export const version: string = (createRequire(import.meta.url)('../package.json') as { version: string }).version;
