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
export async function rotateToken(old: string, token: string): Promise<void> {
  memory = token;
  for (const store of stores()) if (store.getItem(KEY)) store.setItem(KEY, token);
  await noteRotation(old, token);
}

const CACHE = 'sign-in';
const ROTATIONS = '/rotations';
const KEPT = 20;
type Rotations = [old: string, token: string][];

/**
 * The stored token, or what other tabs have made of it. A tab may see another's localStorage late, and a spent token
 * ends the sign-in of all tabs; what is in the cache storage is the same for all at once.
 */
export async function newestToken(): Promise<string | null> {
  let token = storedToken();
  const next = new Map(await rotations());
  while (token && next.has(token)) token = next.get(token)!;
  return token;
}

async function rotations(): Promise<Rotations> {
  const found = await (await shared())?.match(ROTATIONS);
  return found ? ((await found.json()) as Rotations) : [];
}

async function noteRotation(old: string, token: string): Promise<void> {
  const known = [...(await rotations()), [old, token]].slice(-KEPT);
  await (await shared())?.put(ROTATIONS, new Response(JSON.stringify(known)));
}

/** Nothing where there is no https, as on another machine of the local network, or where storage is switched off. */
async function shared(): Promise<Cache | undefined> {
  return 'caches' in globalThis ? caches.open(CACHE).catch(() => undefined) : undefined;
}

export function forgetToken(): void {
  memory = null;
  for (const store of stores()) store.removeItem(KEY);
  stores()[1]?.removeItem(ACCESS);
  if ('caches' in globalThis) void caches.delete(CACHE).catch(() => undefined);
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
