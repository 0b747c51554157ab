// npm test [-- FILTER… vitest options]      sets everything up, then runs the suite
// npm run test:slow                         the same with the long tests (SRCODE_SLOW=1)
import './lib/node-version.mjs';

// Loaded only now: an old Node cannot read it.
import('./lib/ensure.mjs').then(async ({ ensure, runToEnd }) => {
  const args = process.argv.slice(2).filter((arg) => arg !== '--slow');
  const slow = args.length < process.argv.length - 2;
  ensure({ tests: true });
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...args];
  process.exitCode = await runToEnd(process.execPath, vitest, slow ? { SRCODE_SLOW: '1' } : {});
});
