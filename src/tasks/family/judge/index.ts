export { type JudgeOptions, judgeFamily, judgeVersion } from './judge.js';
