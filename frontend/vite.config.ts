import { readFileSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

/** The API's own pages work offline: Swagger UI is copied beside them. */
function swaggerUi(): Plugin {
  const files = ['swagger-ui.css', 'swagger-ui-bundle.js'];
  return {
    name: 'swagger-ui',
    apply: 'build',
    generateBundle() {
      for (const name of files) {
        const source = readFileSync(new URL(`./node_modules/swagger-ui-dist/${name}`, import.meta.url), 'utf8');
        this.emitFile({ type: 'asset', fileName: `docs/${name}`, source: source.replace(/\n\/[*/]# sourceMappingURL=.*$/m, '') });
      }
    },
  };
}

export default defineConfig({
  plugins: [svelte(), swaggerUi()],
  base: '/',
  build: {
    outDir: '../app/static',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    assetsInlineLimit: 0,
  },
  server: { host: '127.0.0.1', proxy: { '/api': 'http://127.0.0.1:8000' } },
});
