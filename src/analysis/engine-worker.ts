import { parentPort } from 'node:worker_threads';
import { loadEngine } from './analysis.js';
import { type EngineQuestion, measured } from './many.js';

/** A thread of the engine: see {@link WorkerPool}. */
parentPort?.on('message', async (question: EngineQuestion) => {
  await loadEngine([question.language]);
  parentPort?.postMessage(measured(question));
});
parentPort?.postMessage('ready');
