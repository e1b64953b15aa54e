export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

const BLANK_LINE = /\r\n\r\n|\n\n|\r\r/;

function parse(block: string): ServerEvent | null {
  const data: string[] = [];
  let id = '';
  let event = 'message';
  for (const line of block.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(':');
    if (colon < 1) continue; // a comment or a field without a value
    const value = line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    const field = line.slice(0, colon);
    if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
    else if (field === 'id') id = value;
  }
  return data.length ? { id, event, data: data.join('\n') } : null;
}

/**
 * Reads `text/event-stream` from a fetch body: POST, headers and abort work, which EventSource lacks.
 * `onbytes` is told of every read, comments included, so that a silent connection can be noticed.
 */
export async function* serverEvents(
  body: ReadableStream<Uint8Array>,
  onbytes?: () => void,
): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      onbytes?.();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      for (let cut = BLANK_LINE.exec(rest); cut; cut = BLANK_LINE.exec(rest)) {
        const event = parse(rest.slice(0, cut.index));
        rest = rest.slice(cut.index + cut[0].length);
        if (event) yield event;
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
