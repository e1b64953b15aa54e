import type { Api } from '../api/client';
import { ApiError, faultOf } from '../api/errors';
import { storedToken } from '../api/tokens';
import type { Fault, User } from '../api/types';

/** Who is signed in: nobody knows yet, nobody, or a user. */
export class Account {
  user = $state.raw<User | null>(null);
  state = $state<'starting' | 'unreachable' | 'out' | 'in'>('starting');
  fault = $state.raw<Fault | null>(null);

  constructor(readonly api: Api) {
    api.onsignedout = () => this.#out();
    // Another tab signed out.
    window.addEventListener('storage', (e) => {
      if (this.state === 'in' && (e.key === 'refresh_token' || e.key === null) && !storedToken()) api.forget();
    });
  }

  /** Takes up the session that an earlier visit left. */
  async start(): Promise<void> {
    if (!storedToken()) return this.#out();
    this.state = 'starting';
    try {
      this.user = await this.api.me();
      this.state = 'in';
    } catch (error) {
      if (error instanceof ApiError && error.status > 0 && error.status < 500 && error.status !== 429) return this.#out();
      this.fault = faultOf(error);
      this.state = 'unreachable';
    }
  }

  async signIn(username: string, password: string, remember: boolean): Promise<void> {
    await this.api.login(username, password, remember);
    this.user = await this.api.me();
    this.state = 'in';
  }

  async register(username: string, password: string, email: string, remember: boolean): Promise<void> {
    await this.api.register(username, password, email || undefined);
    await this.signIn(username, password, remember);
  }

  async signOut(): Promise<void> {
    try {
      await this.api.logout();
    } catch {
      // Signed out here in any case; the server forgets the session when its tokens expire.
    }
  }

  #out(): void {
    this.user = null;
    this.state = 'out';
  }
}
