export { type JudgeOptions, judgeFamily, judgeVersion, toolchainId } from './judge.js';
