import type { App } from '../app.svelte';
import type { Conversation } from '../api/types';
import { download, fileName } from '../download';
import type { MenuItem } from './Menu.svelte';

/** What can be done with a conversation, in its row and above its messages. */
export function conversationMenu(app: App, conversation: Pick<Conversation, 'id' | 'title'>, rename?: () => void): MenuItem[] {
  const { id, title } = conversation;
  const save = (format: 'markdown' | 'json', extension: string) => () =>
    void app.attempt(async () => download(await app.api.export(id, format), fileName(title, extension)));
  const remove = () =>
    app.confirm({
      title: `Delete “${title}”?`,
      text: 'Its messages and the files that belong to it are deleted for good.',
      action: 'Delete',
      act: async () => {
        await app.conversations.remove(id);
        app.say('Conversation deleted');
        if (app.chat.conversationId === id) app.route.go('#/');
      },
    });
  return [
    ...(rename ? [{ label: 'Rename', icon: 'edit' as const, act: rename }] : []),
    { label: 'Export as Markdown', icon: 'download', act: save('markdown', 'md') },
    { label: 'Export as JSON', icon: 'download', act: save('json', 'json') },
    { label: 'Delete', icon: 'trash', act: remove, danger: true },
  ];
}
