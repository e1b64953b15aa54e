/** Keeps the refresh token for good (localStorage) or for this tab (sessionStorage), and the tab's access token. */

const KEY = 'refresh_token';
const ACCESS = 'access_token';
const EARLY_MS = 30_000; // renew before the server refuses

function stores(): Storage[] {
  try {
    return [localStorage, sessionStorage];
  } catch {
    return []; // storage is switched off: the sign-in lasts until the page is closed
  }
}

let memory: string | null = null;

export function storedToken(): string | null {
  for (const store of stores()) {
    const token = store.getItem(KEY);
    if (token) return token;
  }
  return stores().length ? null : memory;
}

export function keepToken(token: string, remember: boolean): void {
  forgetToken();
  memory = token;
  const [durable, tab] = stores();
  (remember ? durable : tab)?.setItem(KEY, token);
}

/** Replaces a rotated token where the old one was kept. */
export function rotateToken(token: string): void {
  memory = token;
  for (const store of stores()) if (store.getItem(KEY)) store.setItem(KEY, token);
}

export function forgetToken(): void {
  memory = null;
  for (const store of stores()) store.removeItem(KEY);
  stores()[1]?.removeItem(ACCESS);
}

/**
 * This tab's access token, over reloads: refresh tokens are single-use, and a reload that cuts off a renewal would
 * spend one whose successor nobody has received.
 */
export function keepAccess(token: string, expires_in: number): void {
  stores()[1]?.setItem(ACCESS, `${Date.now() + expires_in * 1000 - EARLY_MS} ${token}`);
}

export function storedAccess(): string | null {
  const [until, token] = (stores()[1]?.getItem(ACCESS) ?? '').split(' ');
  return token && storedToken() && Number(until) > Date.now() ? token : null;
}

const LEASE = 'refresh_lease';
const LEASE_MS = 8000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Runs `job` in one tab at a time. Refresh tokens are single-use: two tabs that spend the same one
 * would both be signed out. Web Locks exist on https and localhost only; elsewhere a lease in localStorage.
 */
export async function oneTabAtATime<T>(job: () => Promise<T>): Promise<T> {
  if (navigator.locks) return navigator.locks.request('refresh', job);
  const [store] = stores();
  if (!store) return job();
  const mine = String(Math.random());
  const until = Date.now() + LEASE_MS;
  while (Date.now() < until) {
    const [owner, since] = (store.getItem(LEASE) ?? '').split(' ');
    if (owner === mine) break;
    if (!owner || Date.now() - Number(since) > LEASE_MS) store.setItem(LEASE, `${mine} ${Date.now()}`);
    await pause(40 + Math.random() * 40);
  }
  try {
    return await job();
  } finally {
    if (store.getItem(LEASE)?.startsWith(mine)) store.removeItem(LEASE);
  }
}
