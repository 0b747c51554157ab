import { expect, test } from 'vitest';
import { ioError } from '../../src/files.js';

test('what may not be read is named itself, with a remedy for reading', () => {
  const cause = Object.assign(new Error('EACCES'), { code: 'EACCES', path: 'src/closed' });
  expect(ioError('read', 'src', cause).message).toBe(
    'Cannot read src/closed: no permission. Change its mode or its owner',
  );
  expect(ioError('write', 'out', cause).message).toContain('Cannot write out: no permission. Choose a folder');
});
