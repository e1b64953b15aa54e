import type { Access, Collection, PageTags, Share, TagKey, Tags } from './document-types';
import type { Api } from './client';
import type { FileStatus, Page, StoredFile } from './types';

/** What the library, the collections and the choice of scope ask for; loaded with them. */

export interface FileQuery {
  limit?: number;
  cursor?: string | null;
  q?: string;
  status?: FileStatus | '';
  /** `key:value`. */
  tag?: string;
  needs_reindex?: boolean;
}

export const filesOf = (api: Api, { needs_reindex, ...query }: FileQuery) =>
  api.json<Page<StoredFile>>('GET', '/files', { query: { ...query, needs_reindex: needs_reindex ? 'true' : undefined } });

export const addUrl = (api: Api, url: string) => api.json<StoredFile>('POST', '/files/url', { body: { url } });
export const putTags = (api: Api, id: string, tags: Tags, page_tags: PageTags[]) =>
  api.json<StoredFile>('PUT', `/files/${id}/tags`, { body: { tags, page_tags } });
export const tagsOf = async (api: Api) => (await api.json<{ items: TagKey[] }>('GET', '/tags')).items;

export const collectionsOf = (api: Api, cursor: string | null = null) =>
  api.json<Page<Collection>>('GET', '/collections', { query: { cursor, limit: 100 } });
export const collectionOf = (api: Api, id: string) => api.json<Collection>('GET', `/collections/${id}`);
export const makeCollection = (api: Api, body: { name: string; description?: string }) =>
  api.json<Collection>('POST', '/collections', { body });
export const changeCollection = (api: Api, id: string, body: { name?: string; description?: string }) =>
  api.json<Collection>('PATCH', `/collections/${id}`, { body });
export const removeCollection = (api: Api, id: string) => api.send('DELETE', `/collections/${id}`);

export const filesIn = (api: Api, id: string, cursor: string | null) =>
  api.json<Page<StoredFile>>('GET', `/collections/${id}/files`, { query: { cursor, limit: 50 } });
export const addTo = (api: Api, id: string, fileId: string) => api.send('PUT', `/collections/${id}/files/${fileId}`);
export const removeFrom = (api: Api, id: string, fileId: string) => api.send('DELETE', `/collections/${id}/files/${fileId}`);

export const sharesOf = async (api: Api, id: string) => (await api.json<{ items: Share[] }>('GET', `/collections/${id}/shares`)).items;
export const share = (api: Api, id: string, username: string | null, access: Exclude<Access, 'owner'>) =>
  api.send('POST', `/collections/${id}/shares`, { body: { username, access } });
export const unshare = (api: Api, id: string, shareId: string) => api.send('DELETE', `/collections/${id}/shares/${shareId}`);
