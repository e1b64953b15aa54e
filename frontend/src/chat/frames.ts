/**
 * Commits at most once per frame however many tokens came, and never takes more than a fifth of the main
 * thread: after a commit it waits four times what that commit cost (a huge table, a slow phone).
 */
export class FrameWriter {
  #timer = 0;
  #cost = 0;
  #last = 0;

  constructor(readonly commit: () => void) {}

  later(): void {
    if (this.#timer) return;
    const wait = Math.max(document.hidden ? 200 : 0, 4 * this.#cost - (performance.now() - this.#last));
    this.#timer = wait > 16 || document.hidden ? window.setTimeout(() => this.now(), wait) : requestAnimationFrame(() => this.now());
  }

  now(): void {
    this.#timer = 0;
    const start = performance.now();
    this.commit();
    this.#last = performance.now();
    this.#cost = this.#last - start;
  }
}
