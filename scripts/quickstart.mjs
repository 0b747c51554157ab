// npm run quickstart [-- OPTIONS of srcode quickstart]      sets everything up, then runs the method on the embedded model, with a report
import './lib/node-version.mjs';

// Loaded only now: an old Node cannot read it.
import('./lib/ensure.mjs').then(async ({ ensure, runToEnd }) => {
  ensure();
  process.exitCode = await runToEnd(process.execPath, ['dist/cli/main.js', 'quickstart', ...process.argv.slice(2)]);
});
