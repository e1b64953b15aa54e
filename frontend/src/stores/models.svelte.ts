import type { Api } from '../api/client';
import type { ModelChoice } from '../api/types';
import { remember, remembered } from './preferences';

const keyOf = (choice: ModelChoice) => `${choice.source}\n${choice.model ?? ''}`;

/** The models that may be asked. No list, no chooser: the server's default answers. */
export class Models {
  choices = $state.raw<ModelChoice[]>([]);
  key = $state(remembered('model'));
  chosen = $derived(this.choices.find((choice) => keyOf(choice) === this.key) ?? null);

  constructor(readonly api: Api) {}

  async load(): Promise<void> {
    try {
      this.choices = await this.api.models();
    } catch {
      this.choices = [];
    }
  }

  choose(key: string): void {
    this.key = key;
    remember('model', key);
  }

  keyOf = keyOf;
}
