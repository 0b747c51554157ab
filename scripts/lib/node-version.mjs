// Imported before anything else by the scripts that people start first: ends an old Node with one clear line.
// Old Nodes read this file too, so its syntax and imports stay plain; what follows it is loaded by import().
import fs from 'node:fs';

const { engines } = JSON.parse(fs.readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const [major, minor] = engines.node.replace('>=', '').split('.').map(Number);
const [haveMajor, haveMinor] = process.versions.node.split('.').map(Number);

if (haveMajor < major || (haveMajor === major && haveMinor < minor)) {
  console.error(
    `srcode needs Node ${engines.node}; this is ${process.versions.node} (${process.execPath}). ` +
      'Install a newer Node and run this again.',
  );
  process.exit(1);
}
