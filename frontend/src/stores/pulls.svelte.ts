import type { Api } from '../api/client';
import type { Pull, PullState } from '../api/model-types';
import { sentence, size } from '../text';

const FINAL: readonly PullState[] = ['ready', 'failed', 'cancelled'];
export const isPulling = (pull: Pull) => !FINAL.includes(pull.state);
const same = (a: Pull, b: Pull) => a.name === b.name && a.model_source === b.model_source;

/** Models on their way to the server. Administrators alone have any. */
export class Pulls {
  items = $state.raw<Pull[]>([]);

  constructor(
    readonly api: Api,
    readonly hooks: { say: (text: string) => void; ready: () => void },
  ) {}

  /** Takes a pull's newest state, from an answer or from an event. */
  apply(pull: Pull): void {
    const old = this.items.find((other) => same(other, pull));
    this.items = old ? this.items.map((other) => (same(other, pull) ? pull : other)) : [...this.items, pull];
    if (old && !isPulling(old)) return;
    if (pull.state === 'ready') {
      this.hooks.say(`${pull.name} is ready`);
      this.hooks.ready();
    }
    if (pull.state === 'failed') this.hooks.say(`${pull.name} could not be fetched`);
  }

  async load(): Promise<void> {
    this.items = await this.api.pulls();
  }

  /** For when no events come. */
  async poll(): Promise<void> {
    if (!this.items.some(isPulling)) return;
    try {
      (await this.api.pulls()).forEach((pull) => this.apply(pull));
    } catch {
      // It is asked again in a moment.
    }
  }

  async start(name: string, source: string): Promise<Pull> {
    const before = this.items;
    const pull = await this.api.pull(name, source);
    const told = this.items.find((other) => same(other, pull));
    if (!told || before.includes(told)) this.apply(pull); // else an event was faster, and newer
    return pull;
  }

  /** Ends one that runs; takes one that has ended off the list. */
  async cancel(pull: Pull): Promise<void> {
    await this.api.cancelPull(pull);
    if (!isPulling(pull)) this.items = this.items.filter((other) => !same(other, pull));
  }
}

/** What is happening to a pull, in words. */
export function pullWords(pull: Pull): string {
  const { bytes_done: done, bytes_total: total } = pull;
  const part = pull.progress === null ? '' : `, ${Math.floor(pull.progress * 100)} %`;
  switch (pull.state) {
    case 'queued':
      return 'Waiting for its turn';
    case 'downloading':
      return total ? `${size(done)} of ${size(total)}${part}` : `${size(done)} so far`;
    case 'verifying':
      return `Checking the file${part}`;
    case 'ready':
      return `Ready${total ? `, ${size(total)}` : ''}`;
    case 'failed':
      return sentence(pull.error?.message ?? 'It could not be fetched');
    case 'cancelled':
      return 'Cancelled. What was fetched is kept: fetching it again goes on from there.';
  }
}
