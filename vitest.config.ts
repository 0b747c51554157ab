import { defineConfig, type ViteUserConfig } from 'vitest/config';

// Files named *.slow.test.ts, and tests that ask for the variable themselves, run with `npm run test:slow`.
const slow = process.env.SRCODE_SLOW === '1';
const exclude = slow ? [] : ['test/**/*.slow.test.ts'];

const config: ViteUserConfig = defineConfig({
  test: {
    pool: 'forks',
    globalSetup: 'test/support/temporary.ts',
    testTimeout: slow ? 1_800_000 : 60_000,
    hookTimeout: slow ? 1_800_000 : 120_000,
    projects: [
      // Dispatch picks the best instruction-set level of the machine by itself; the second project forces what every machine has.
      { extends: true, test: { name: 'default', include: ['test/**/*.test.ts'], exclude } },
      // The bugs planted in CUDA kernels are compiled for the emulator, to which the level is nothing.
      {
        extends: true,
        test: {
          name: 'portable',
          include: ['test/native/**/*.test.ts'],
          exclude: [...exclude, 'test/native/plant-bugs.test.ts'],
          env: { SRCODE_ISA: 'portable' },
        },
      },
    ],
  },
});
export default config;
