import type { Api } from '../api/client';
import { download } from '../download';

/**
 * Opens the file as it was uploaded: a PDF at its page in a new tab, anything else is saved. Requests carry a token, so it
 * is fetched first. Only as a PDF may it be opened: what users upload must not run as a page of ours.
 */
export async function openOriginal(api: Api, file: { file_id: string; file_name: string }, page: number): Promise<void> {
  const isPdf = /\.pdf$/i.test(file.file_name);
  const tab = isPdf ? window.open('', '_blank') : null; // now: after the wait it would be a pop-up
  try {
    const blob = await (await api.send('GET', `/files/${file.file_id}/content`)).blob();
    if (!tab || blob.type !== 'application/pdf') {
      tab?.close();
      return download(blob, file.file_name);
    }
    const url = URL.createObjectURL(blob);
    tab.location.href = `${url}#page=${page}`;
    setTimeout(() => URL.revokeObjectURL(url), 600_000);
  } catch (error) {
    tab?.close();
    throw error;
  }
}
