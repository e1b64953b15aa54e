/** A conversation is a tree: an edit or a new answer makes a sibling. The page shows one path through it. */

export interface Node {
  id: string;
  parentId: string | null;
}

/** Which child is shown under a parent; the newest when nothing is chosen. Roots stand under ''. */
export type Choice = Readonly<Record<string, string>>;

const under = (node: Node) => node.parentId ?? '';

function childrenByParent<T extends Node>(nodes: readonly T[]): Map<string, T[]> {
  const children = new Map<string, T[]>();
  for (const node of nodes) {
    const list = children.get(under(node));
    if (list) list.push(node);
    else children.set(under(node), [node]);
  }
  return children;
}

export function pathOf<T extends Node>(nodes: readonly T[], choice: Choice): T[] {
  const children = childrenByParent(nodes);
  const path: T[] = [];
  let at = '';
  for (let list = children.get(at); list?.length && path.length <= nodes.length; list = children.get(at)) {
    const node = list.find((n) => n.id === choice[at]) ?? list[list.length - 1]!;
    path.push(node);
    at = node.id;
  }
  return path;
}

export function siblingsOf<T extends Node>(nodes: readonly T[], node: Node): T[] {
  return nodes.filter((n) => n.parentId === node.parentId);
}

/** The choice that shows `leaf`. */
export function choiceFor(nodes: readonly Node[], leaf: string | null, choice: Choice = {}): Choice {
  const byId = new Map(nodes.map((n) => [n.id, n]));
  const next: Record<string, string> = { ...choice };
  const seen = new Set<string>();
  for (let node = leaf ? byId.get(leaf) : undefined; node && !seen.has(node.id); node = byId.get(under(node))) {
    seen.add(node.id);
    next[under(node)] = node.id;
  }
  return next;
}

/** The same choice after an id was replaced: a local one by the server's. */
export function renamed(choice: Choice, from: string, to: string): Choice {
  return Object.fromEntries(Object.entries(choice).map(([k, v]) => [k === from ? to : k, v === from ? to : v]));
}
