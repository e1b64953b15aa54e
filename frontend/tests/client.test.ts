import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Api } from '../src/api/client';
import { faultOf, wayOut } from '../src/api/errors';
import { keepToken, storedToken } from '../src/api/tokens';

/** A server whose access tokens die when told so, and whose refresh tokens work once. */
class Accounts {
  access = 0;
  refresh = 1;
  renewals = 0;
  refusals = 0;
  lifetime = 60;
  server: Server = createServer((request, response) => this.answer(request, response));

  answer(request: IncomingMessage, response: ServerResponse): void {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      const [status, answer] = this.route(request, body ? (JSON.parse(body) as Record<string, string>) : {});
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  }

  route(request: IncomingMessage, body: Record<string, string>): [number, unknown] {
    const path = request.url!.replace('/api/v1', '');
    if (path === '/auth/refresh') {
      this.renewals++;
      if (body.refresh_token !== `refresh-${this.refresh}`) return [401, error('not_authenticated')];
      return [200, { access_token: `access-${++this.access}`, refresh_token: `refresh-${++this.refresh}`, expires_in: this.lifetime }];
    }
    if (request.headers.authorization !== `Bearer access-${this.access}`) {
      this.refusals++;
      return [401, error('not_authenticated')];
    }
    if (path === '/auth/me') return [200, { id: '1', username: 'ann', role: 'user' }];
    return [404, error('not_found')];
  }
}
const error = (code: string) => ({ error: { code, message: `it is ${code}`, details: {}, request_id: 'q' } });

let accounts: Accounts;
beforeEach(async () => {
  accounts = new Accounts();
  await new Promise<void>((resolve) => accounts.server.listen(0, '127.0.0.1', resolve));
  const { port } = accounts.server.address() as AddressInfo;
  (window as unknown as { happyDOM: { setURL(url: string): void } }).happyDOM.setURL(`http://127.0.0.1:${port}/`);
  sessionStorage.clear();
  keepToken('refresh-1', true);
});
afterEach(() => new Promise((resolve) => accounts.server.close(resolve)));

describe('Api', () => {
  it('renews the access token once, however many ask at once', async () => {
    const api = new Api();
    const users = await Promise.all([api.me(), api.me(), api.me()]);
    expect(users.map((user) => user.username)).toEqual(['ann', 'ann', 'ann']);
    expect([accounts.renewals, storedToken()]).toEqual([1, 'refresh-2']);
  });

  it('renews it again when it has expired', async () => {
    const api = new Api();
    await api.me();
    accounts.access++; // what the page holds is refused from now on
    await Promise.all([api.me(), api.me()]);
    expect([accounts.renewals, accounts.refusals]).toEqual([2, 2]);
  });

  it('needs no new token after a reload, until the old one is about to expire', async () => {
    await new Api().me();
    await new Api().me();
    expect(accounts.renewals).toBe(1);
    accounts.lifetime = 20;
    sessionStorage.clear();
    await new Api().me();
    await new Api().me();
    expect(accounts.renewals).toBe(3);
  });

  it('lets two tabs that share a refresh token take turns', async () => {
    const tabs = [new Api(), new Api(), new Api()];
    await Promise.all(tabs.map((tab) => tab.renew()));
    expect([accounts.renewals, storedToken()]).toEqual([3, 'refresh-4']);
  });

  it('signs out when the refresh token is refused', async () => {
    keepToken('refresh-of-long-ago', true);
    const api = new Api();
    let signedOut = false;
    api.onsignedout = () => (signedOut = true);
    await expect(api.me()).rejects.toMatchObject({ status: 401 });
    expect([signedOut, storedToken()]).toEqual([true, null]);
  });

  it('stays signed in when the server cannot be reached', async () => {
    await new Promise((resolve) => accounts.server.close(resolve));
    await expect(new Api().me()).rejects.toMatchObject({ status: 0, code: 'unreachable' });
    expect(storedToken()).toBe('refresh-1');
  });

  it("gives the server's words and a way out", async () => {
    const fault = await new Api().conversation('x').catch(faultOf);
    expect(fault).toMatchObject({ code: 'not_found', message: 'it is not_found', request_id: 'q' });
    expect(wayOut(fault as never)).toContain('Reload');
  });
});
