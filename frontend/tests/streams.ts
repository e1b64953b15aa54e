/** Response bodies for tests. */

export function bodyOf(text: string, step = 1000, fails = false): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(control) {
      for (let at = 0; at < bytes.length; at += step) control.enqueue(bytes.slice(at, at + step));
      if (fails) setTimeout(() => control.error(new TypeError('network error')));
      else control.close();
    },
  });
}

export const frame = (id: number, event: string, data: unknown) => `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
