import type { Collection, Share } from '../api/document-types';

/** Whose a collection is, and what may be done with it. */
export const accessWords = ({ access, owner }: Pick<Collection, 'access' | 'owner'>): string =>
  access === 'owner' ? 'Yours' : `Shared by ${owner.username}, ${access === 'write' ? 'you may add files' : 'to read'}`;

export const MAY: Record<Share['access'], string> = { read: 'may read', write: 'may read and add files' };

export const whoOf = ({ username }: Pick<Share, 'username'>): string => username ?? 'Everybody';
