import { faultOf } from '../api/errors';
import type { Fault } from '../api/types';

/** Something that is asked for: not there yet, there, or why not. What was there stays while it is asked for again. */
export class Loaded<T> {
  value = $state.raw<T | null>(null);
  fault = $state.raw<Fault | null>(null);
  busy = $state(false);
  #asked = 0;

  async load(ask: () => Promise<T>): Promise<void> {
    const mine = ++this.#asked;
    this.busy = true;
    try {
      const value = await ask();
      if (mine !== this.#asked) return; // a newer question was asked meanwhile
      this.value = value;
      this.fault = null;
    } catch (error) {
      if (mine === this.#asked) this.fault = faultOf(error);
    } finally {
      if (mine === this.#asked) this.busy = false;
    }
  }
}
