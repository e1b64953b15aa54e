import { unreachable } from './errors';

export interface Upload {
  url: string;
  file: File;
  conversationId: string | null;
  progress: (part: number) => void;
  signal: AbortSignal;
}

export function upload(job: Upload, token: string | null): Promise<{ status: number; body: unknown }> {
  const form = new FormData();
  if (job.conversationId) form.set('conversation_id', job.conversationId);
  form.set('file', job.file, job.file.name);
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => job.progress(event.total ? event.loaded / event.total : 0);
    request.onload = () => resolve({ status: request.status, body: request.response as unknown });
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException('The upload was cancelled.', 'AbortError'));
    job.signal.addEventListener('abort', () => request.abort(), { once: true });
    request.open('POST', job.url);
    request.responseType = 'json';
    if (token) request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.send(form);
  });
}
