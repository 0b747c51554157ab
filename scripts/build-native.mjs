// node scripts/build-native.mjs [--config Release|Debug] [--tests] [-DNAME=VALUE]…
// Builds the addon into build/<config>/srcode_native.node, incrementally. -D sets a CMake variable, for example -DSRCODE_CUDA=on.
import { buildNative, howToInstall, missingTools } from './lib/native.mjs';

const usage = 'usage: node scripts/build-native.mjs [--config Release|Debug] [--tests] [-DNAME=VALUE]...';

function parse(args) {
  const options = { config: 'Release', tests: false, defines: {} };
  for (let i = 0; i < args.length; i++) {
    const define = /^-D(\w+)=(.*)$/.exec(args[i]);
    if (define) options.defines[define[1]] = define[2];
    else if (args[i] === '--tests') options.tests = true;
    else if (args[i] === '--config' && ['Release', 'Debug'].includes(args[i + 1])) options.config = args[++i];
    else throw new Error(`native: cannot read ${args[i]} ${args[i + 1] ?? ''}\n${usage}`);
  }
  return options;
}

function main() {
  if (process.env.SRCODE_SKIP_NATIVE === '1') {
    console.log('native: skipped (SRCODE_SKIP_NATIVE=1)');
    return 0;
  }
  let options;
  try {
    options = parse(process.argv.slice(2));
  } catch (error) {
    console.error(error.message);
    return 2;
  }
  const missing = missingTools();
  if (missing.length > 0) {
    console.error(`native: cannot build without ${missing.join(', ')}. ${howToInstall()}`);
    return 1;
  }
  if (buildNative(options)) return 0;
  console.error('native: the build failed; the first error above says where.');
  return 1;
}

process.exitCode = main();
