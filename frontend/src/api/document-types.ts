/** Files, their tags, collections and cited pages, as the API names them. */

/** What became of a file's pages. */
export interface Coverage {
  read: number;
  empty: number;
  ocr: number;
  needs_ocr: number;
  failed: number;
  reasons: { pages: string; reason: string }[];
}

export type TagValue = string | number | boolean;
export type Tags = Record<string, TagValue | TagValue[]>;

/** Tags of some of a file's pages, such as `12-40`. */
export interface PageTags {
  pages: string;
  tags: Tags;
}

/** Which tags there are, and how many files have each. */
export interface TagKey {
  key: string;
  values: { value: string; files: number }[];
}

export interface TextRange {
  char_from: number;
  char_to: number;
}

/** What the check of one citation found. Offsets count code points: of the sentence in the answer, of the quote in the file. */
export interface Citation {
  n: number;
  supported: boolean;
  char_from?: number;
  char_to?: number;
  match?: 'exact' | 'normalised' | 'overlap' | null;
  score?: number | null;
  reason?: string | null;
  quote?: TextRange | null;
  /** The marker itself, `[1]`, in the answer. */
  mark?: TextRange | null;
}

export type Access = 'owner' | 'write' | 'read';

export interface Collection {
  id: string;
  name: string;
  description: string | null;
  owner: { id: string; username: string };
  access: Access;
  files_total: number;
  created_at: string;
}

/** Who may use a collection; `username` null: everybody. */
export interface Share {
  id: string;
  username: string | null;
  access: 'read' | 'write';
}

/** The text of one page, and where it begins in the file's text. */
export interface PageText {
  file_id: string;
  file_name: string;
  page: number;
  pages_total: number | null;
  char_from: number;
  text: string;
  label?: string | null;
  state?: 'read' | 'ocr' | 'empty' | 'needs_ocr' | 'failed';
  reason?: string | null;
  /** Offsets in `text`. */
  highlights?: { from: number; to: number }[];
}
