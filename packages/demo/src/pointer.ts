/** Follows the pointer, pen, finger or keyboard over an element, in fractions of it. */

export type PointerListener = {
  /** `ago`: so many milliseconds before now. A fast pointer is at several places between two frames; they are told in order. */
  moved(x: number, y: number, ago: number): void;
  left(): void;
};

/** When a finger is lifted, its cursor stays this long, so that others see where it pointed. */
const FINGER_LINGERS_MS = 3000;

export function followPointer(element: HTMLElement, listener: PointerListener): void {
  let lingering: ReturnType<typeof setTimeout> | undefined;
  let last = { x: Number.NaN, y: Number.NaN };
  const move = (event: PointerEvent) => {
    if (!event.isPrimary) return;
    // Browsers also say that the pointer moved when what is under it did.
    if (event.type === "pointermove" && event.clientX === last.x && event.clientY === last.y) return;
    last = { x: event.clientX, y: event.clientY };
    clearTimeout(lingering);
    const box = element.getBoundingClientRect();
    const all = event.getCoalescedEvents?.() ?? [];
    for (const { clientX, clientY, timeStamp } of all.length > 0 ? all : [event]) {
      // A captured finger may slide beyond the edge.
      const [x, y] = [within((clientX - box.left) / box.width), within((clientY - box.top) / box.height)];
      listener.moved(x, y, performance.now() - timeStamp);
    }
  };
  const leave = (event: PointerEvent) => {
    if (!event.isPrimary) return;
    clearTimeout(lingering);
    if (event.pointerType === "mouse") listener.left();
    else lingering = setTimeout(() => listener.left(), FINGER_LINGERS_MS);
  };
  element.addEventListener("pointerdown", move);
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerleave", leave);
  element.addEventListener("pointercancel", leave);
  // People without a pointer show where they are too: at what they have reached by the keyboard.
  element.addEventListener("focusin", ({ target }) => {
    if (!(target instanceof Element) || !target.matches("[data-thing]:focus-visible")) return;
    const [box, at] = [element.getBoundingClientRect(), target.getBoundingClientRect()];
    listener.moved(within((at.x + at.width / 2 - box.x) / box.width), within((at.y + at.height / 2 - box.y) / box.height), 0);
  });
}

function within(fraction: number): number {
  return Math.min(1, Math.max(0, fraction));
}
