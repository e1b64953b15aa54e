import type { Coverage } from '../api/document-types';
import { count } from '../text';

/** "118 of 120 pages read, 2 need OCR": what became of a file's pages. */
export function coverageWords({ read, ocr, empty, needs_ocr, failed }: Coverage): string {
  const total = read + ocr + empty + needs_ocr + failed;
  const good = read + ocr;
  const parts = [good === total ? `${count(total, 'page')} read` : `${good.toLocaleString('en')} of ${count(total, 'page')} read`];
  if (ocr) parts.push(`${ocr.toLocaleString('en')} of them by OCR`);
  if (needs_ocr) parts.push(`${needs_ocr.toLocaleString('en')} ${needs_ocr === 1 ? 'needs' : 'need'} OCR`);
  if (empty) parts.push(`${empty.toLocaleString('en')} empty`);
  if (failed) parts.push(`${failed.toLocaleString('en')} could not be read`);
  return parts.join(', ');
}

/** Pages of which there is no text though there may be some on paper. */
export const isPartial = (coverage: Coverage): boolean => coverage.needs_ocr + coverage.failed > 0;

/** What to do about a file that failed, by the code of its error; '' where the reason says it already. */
const SAVE_ANEW = 'Open it in its own program, save it anew and add that.';
const WAYS_OUT: Record<string, string> = {
  damaged: SAVE_ANEW,
  crashed: SAVE_ANEW,
  unreadable_pages: SAVE_ANEW,
  memory_limit: 'Split it into smaller files, or save it anew.',
  encrypted: '',
  empty: '',
  no_text: '',
  cpu_limit: '',
  time_limit: '',
  too_much_text: '',
  unsupported_type: '',
};
export const fileWayOut = (code: string): string => WAYS_OUT[code] ?? 'Try again. If it fails once more, tell your administrator.';
