const NEAR_PX = 24;

/**
 * Keeps the end of the content in view until the reader scrolls up, and again once they are back at the end. `wanted` false:
 * what is there is read from its beginning.
 */
export function followEnd(node: HTMLElement, onchange: (pinned: boolean) => void, wanted = () => true) {
  let pinned = true;
  let written = -1;
  let lastTop = node.scrollTop;
  const end = () => node.scrollHeight - node.clientHeight;
  const set = (value: boolean) => {
    if (value === pinned) return;
    pinned = value;
    onchange(value);
  };
  const pin = () => {
    if (!pinned || !wanted()) return;
    written = end();
    node.scrollTop = written;
    lastTop = node.scrollTop;
  };
  const scrolled = () => {
    const top = node.scrollTop;
    const ours = Math.abs(top - written) <= 1.5;
    if (!ours && top < lastTop - 2) set(false);
    if (end() - top <= NEAR_PX) set(true);
    lastTop = top;
  };
  const wheel = (event: WheelEvent) => {
    if (event.deltaY < 0 && end() > 0) set(false); // before the next write can undo it
  };
  node.addEventListener('scroll', scrolled, { passive: true });
  node.addEventListener('wheel', wheel, { passive: true });
  const sizes = new ResizeObserver(pin);
  sizes.observe(node);
  if (node.firstElementChild) sizes.observe(node.firstElementChild);
  return {
    toEnd() {
      set(true);
      pin();
    },
    destroy() {
      sizes.disconnect();
      node.removeEventListener('scroll', scrolled);
      node.removeEventListener('wheel', wheel);
    },
  };
}
