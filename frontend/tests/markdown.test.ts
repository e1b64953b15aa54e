import { describe, expect, it } from 'vitest';
import { marked, toHtml } from '../src/markdown/markdown';

/** Before the sanitiser, which needs a real browser: tests/browser asks it there. */
function rendered(text: string): HTMLElement {
  const node = document.createElement('div');
  node.innerHTML = marked.parse(text) as string;
  return node;
}

describe('marked', () => {
  it.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '![a](https://evil.example/?q=1)',
    '[x](javascript:alert(1))',
    '[x](JAVASCRIPT:alert(1))',
    '[x](/api/v1/auth/logout)',
    '<a href="javascript:alert(1)">x</a>',
    '<iframe src="https://evil.example"></iframe>',
    '<style>body{display:none}</style>',
    '<form action="/x"><input name=password></form>',
    '<svg><script>alert(1)</script></svg>',
    '<p style="position:fixed" id="app" onclick="alert(1)">x</p>',
    `[x](https://a.example '" onmouseover=alert(1) x="')`,
    '[x](<https://a.example/"onmouseover="alert(1)>)',
    '```"><script>alert(1)</script>\ncode\n```',
  ])('makes no markup, script or remote load of %s', (text) => {
    const node = rendered(text);
    expect(node.querySelector('script, img, iframe, style, form, input, svg, [style], [id]')).toBeNull();
    for (const element of node.querySelectorAll('*')) {
      expect([...element.attributes].filter((a) => a.name.startsWith('on'))).toEqual([]);
      expect(element.getAttribute('href') ?? '').toMatch(/^(https:|$)/);
    }
  });

  it('opens links in a new tab without a referrer', () => {
    const link = rendered('[x](https://a.example)').querySelector('a')!;
    expect([link.target, link.rel]).toEqual(['_blank', 'noreferrer noopener']);
  });

  it('puts headings below those of the page', () => {
    expect([...rendered('# A\n\n###### B').children].map((h) => h.outerHTML)).toEqual([
      '<h3 class="d1">A</h3>',
      '<h3 class="d6">B</h3>',
    ]);
  });
});

describe('toHtml', () => {
  it('makes chips of the sources that are there, and of nothing else', () => {
    const node = document.createElement('div');
    node.innerHTML = toHtml('so [2]. `a[1]` [x](http://e.org) [9] [1, 2]', new Set([1, 2]));
    expect([...node.querySelectorAll<HTMLElement>('.cite')].map((chip) => chip.dataset.cite)).toEqual(['2', '1', '2']);
    expect(node.textContent).toContain('[9]');
    expect(node.querySelector('code')!.textContent).toBe('a[1]');
  });
});
