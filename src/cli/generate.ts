import { addAbortSignal } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import type { Argv, CommandModule } from 'yargs';
import { SrcodeError } from '../errors.js';
import { runCommand } from './command.js';
import { adapterOption, modelOption, threadsOption } from './options.js';

interface GenerateArgs {
  prompt?: string | undefined;
  model: string;
  adapter?: string | undefined;
  maxNewTokens: number;
  temperature: number;
  topP: number;
  topK: number;
  n: number;
  seed: number;
  threads: number;
  json?: boolean | undefined;
}

/** `srcode generate "int add(int a, int b) {" --model DIR` */
export const generateCommand: CommandModule<unknown, GenerateArgs> = {
  command: 'generate [prompt]',
  describe: 'Complete a prompt; without one, the text on stdin',
  builder: (yargs: Argv) =>
    yargs
      .positional('prompt', { type: 'string', describe: 'text to go on from' })
      .option('model', modelOption)
      .option('adapter', adapterOption)
      .option('max-new-tokens', {
        type: 'number',
        default: 128,
        requiresArg: true,
        describe: 'longest answer in tokens',
      })
      .option('temperature', { type: 'number', default: 0.8, requiresArg: true, describe: '0 is greedy' })
      .option('top-p', { type: 'number', default: 0.95, requiresArg: true, describe: 'probability mass sampled from' })
      .option('top-k', { type: 'number', default: 0, requiresArg: true, describe: 'tokens sampled from; 0 is off' })
      .option('n', { type: 'number', default: 1, requiresArg: true, describe: 'answers' })
      .option('seed', { type: 'number', default: 0, requiresArg: true, describe: 'same seed, same answers' })
      .option('threads', threadsOption)
      .option('json', {
        type: 'boolean',
        describe: 'answers and errors as JSON on stdout',
      }) as unknown as Argv<GenerateArgs>,
  handler: (args) =>
    runCommand(
      args,
      async ({ signal }) => {
        const { Model } = await import('../native/model.js');
        const { Tokenizer } = await import('../tokenizer/index.js');
        const { checkVocabulary } = await import('../training/setup.js');
        const prompt = args.prompt ?? (await textOf(addAbortSignal(signal, process.stdin)));
        const tokenizer = await Tokenizer.load(args.model);
        using model = await Model.load(args.model, args.threads > 0 ? { threads: args.threads } : {});
        checkVocabulary(model, tokenizer, args.model);
        if (args.adapter !== undefined) await model.adapters.load('adapter', args.adapter);
        const ids = tokenizer.encode(prompt, { addSpecialTokens: true });
        const { contextLength } = model.config;
        if (ids.length === 0) throw new SrcodeError('ERR_USAGE', 'Expected a prompt, as an argument or on stdin.');
        if (ids.length >= contextLength) {
          throw new SrcodeError(
            'ERR_INVALID_ARG',
            `The prompt has ${ids.length} tokens: expected fewer than ${contextLength}, the context of ${args.model}. Shorten it.`,
          );
        }
        const answers = await model.generate([ids], {
          maxNewTokens: Math.min(args.maxNewTokens, contextLength - ids.length),
          temperature: args.temperature,
          topP: args.topP,
          topK: args.topK,
          n: args.n,
          seed: args.seed,
          signal,
          ...(args.adapter === undefined ? {} : { adapter: 'adapter' }),
        } as never);
        return {
          prompt,
          answers: answers.map(({ tokens, finish }) => ({
            text: tokenizer.decode(tokens, { skipSpecialTokens: true }),
            tokens: tokens.length,
            finish,
          })),
        };
      },
      ({ prompt, answers }) => answers.map(({ text }) => prompt + text).join('\n\n'),
    ),
};
