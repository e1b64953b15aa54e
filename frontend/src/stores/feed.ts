import type { Api } from '../api/client';
import { isAbort } from '../api/errors';
import { serverEvents } from '../api/sse';
import { backoff, pauseUntilOnline } from '../chat/follow-run';

export interface FeedHooks {
  event: (name: string, data: unknown) => void;
  /** Events come again after a time without: what happened meanwhile may be too old to be told. */
  back: () => void;
  /** Called every two seconds while no events can be had. */
  poll: () => Promise<void>;
}

const HIDDEN_MS = 15_000;
const POLL_MS = 2000;

/**
 * This user's events (files, conversations), followed while the page is visible: browsers allow six connections
 * to a server, and a hidden tab should not hold one.
 */
export class Feed {
  #control: AbortController | null = null;
  #last = '';
  #live = false;
  #hide = 0;
  #poll = 0;

  constructor(
    readonly api: Api,
    readonly hooks: FeedHooks,
  ) {}

  start(): void {
    this.stop();
    document.addEventListener('visibilitychange', this.#visibility);
    this.#poll = window.setInterval(() => {
      if (!this.#live && !document.hidden) void this.hooks.poll();
    }, POLL_MS);
    this.#connect();
  }

  stop(): void {
    document.removeEventListener('visibilitychange', this.#visibility);
    clearInterval(this.#poll);
    clearTimeout(this.#hide);
    this.#control?.abort();
    this.#control = null;
    this.#last = '';
  }

  #visibility = (): void => {
    clearTimeout(this.#hide);
    if (document.hidden) this.#hide = window.setTimeout(() => this.#pause(), HIDDEN_MS);
    else if (!this.#control) this.#connect();
  };

  #pause(): void {
    this.#control?.abort();
    this.#control = null;
  }

  #connect(): void {
    const control = (this.#control = new AbortController());
    void this.#follow(control.signal);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const response = await this.api.events(this.#last, signal);
        this.#live = true;
        if (this.#last) this.hooks.back();
        for await (const { id, event, data } of serverEvents(response.body!)) {
          failures = 0;
          this.#last = id || this.#last;
          this.hooks.event(event, JSON.parse(data));
        }
      } catch (error) {
        if (isAbort(error)) return;
      } finally {
        this.#live = false;
      }
      await pauseUntilOnline(backoff(failures + 1), signal).catch(() => undefined);
    }
  }
}
