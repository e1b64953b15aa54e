import type { App } from '../app.svelte';
import type { StoredFile } from '../api/types';

export function deleteFile(app: App, file: StoredFile): void {
  app.confirm({
    title: `Delete “${file.name}”?`,
    text: 'The file and everything that was indexed from it are deleted for good. Answers that cite it stay.',
    action: 'Delete',
    act: async () => {
      await app.files.remove(file);
      app.say(`${file.name} deleted`);
    },
  });
}
