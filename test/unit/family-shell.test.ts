import { expect, test } from 'vitest';
import { words } from '../../src/tasks/family/shell.js';

test.each([
  ['ping host1', ['ping', 'host1']],
  ["  ping 'a b'\tc ", ['ping', 'a b', 'c']],
  ['ping "a b"c', ['ping', 'a bc']],
  ["ping ''", ['ping', '']],
  ["ping 'a;b|c&d$(e)`f`'", ['ping', 'a;b|c&d$(e)`f`']],
  ['ping a\\;b', ['ping', 'a;b']],
  ['ping "a\\"b\\c"', ['ping', 'a"b\\c']],
])('%s is one simple command', (line, expected) => {
  expect(words(line)).toEqual(expected);
});

test.each([
  ...[';', '|', '&', '\n', '<', '>', '(', ')', '`', '$'].map((char) => `ping a${char}b`),
  'ping "a$(b)"',
  'ping "a`b`"',
  "ping 'a';rm",
  "ping 'a",
  'ping "a',
  'ping a\\',
])('%s is more than a simple command', (line) => {
  expect(words(line)).toBeUndefined();
});
