export type AnalyserName = 'gcc' | 'clang' | 'cppcheck' | 'codeql' | 'bandit';
export const analyserNames: readonly AnalyserName[] = ['gcc', 'clang', 'cppcheck', 'codeql', 'bandit'];

/** How each is had where it is not. */
export const remedies: Readonly<Record<AnalyserName, string>> = {
  gcc: 'apt install gcc (10 or newer)',
  clang: 'apt install clang',
  cppcheck: 'apt install cppcheck',
  codeql:
    'https://github.com/github/codeql-action/releases has the bundle; its licence limits what code it may analyse: docs/analysers.md',
  bandit: 'apt install bandit, or pipx install --global bandit: it must lie in /usr',
};
