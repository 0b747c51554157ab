import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as an OpenAI-compatible server sees it. */
export interface ChatCall {
  body: {
    model: string;
    messages: { role: string; content: string }[];
    max_tokens: number;
    temperature: number;
    response_format?: { type: string; json_schema?: { name: string; strict: boolean; schema: object } };
  };
  headers: IncomingHttpHeaders;
  path: string;
}

/** Answers call number `index` (from 0). */
export type Handler = (call: ChatCall, response: ServerResponse, index: number) => void | Promise<void>;

/** A real HTTP server on a free port of this machine. */
export class LlmServer implements AsyncDisposable {
  readonly calls: ChatCall[] = [];
  /** Requests that were open at once, at most. */
  busiest = 0;
  handler: Handler;
  #open = 0;
  readonly #server: Server;

  private constructor(handler: Handler) {
    this.handler = handler;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      this.busiest = Math.max(this.busiest, ++this.#open);
      response.on('close', () => this.#open--);
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as ChatCall['body'];
        const call = { body, headers: request.headers, path: request.url ?? '' };
        this.calls.push(call);
        void this.handler(call, response, this.calls.length - 1);
      });
    });
  }

  static async listen(handler: Handler): Promise<LlmServer> {
    const server = new LlmServer(handler);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Sends a chat completion with this text. */
export function say(
  response: ServerResponse,
  text: string,
  {
    finish = 'stop',
    usage = { prompt_tokens: 100, completion_tokens: 10 },
  }: { finish?: string; usage?: object | null } = {},
): void {
  response.setHeader('content-type', 'application/json');
  const choices = [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: finish }];
  response.end(JSON.stringify({ id: 'x', object: 'chat.completion', choices, ...(usage && { usage }) }));
}

export function fail(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, headers).end(body);
}
