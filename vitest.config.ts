import { defineConfig, type ViteUserConfig } from 'vitest/config';

// Files named *.slow.test.ts, and tests that ask for the variable themselves, run with `npm run test:slow`.
const slow = process.env.SRCODE_SLOW === '1';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: slow ? [] : ['test/**/*.slow.test.ts'],
    pool: 'forks',
    testTimeout: slow ? 1_800_000 : 60_000,
    hookTimeout: slow ? 1_800_000 : 120_000,
  },
});
export default config;
