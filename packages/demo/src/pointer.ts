/** Follows the pointer, pen or finger over an element, in fractions of it. */

export type PointerListener = {
  /** `ago`: so many milliseconds before now. A fast pointer is at several places between two frames; they are told in order. */
  moved(x: number, y: number, ago: number): void;
  left(): void;
};

/** When a finger is lifted, its cursor stays this long, so that others see where it pointed. */
const FINGER_LINGERS_MS = 3000;

export function followPointer(element: HTMLElement, listener: PointerListener): void {
  let lingering: ReturnType<typeof setTimeout> | undefined;
  const move = (event: PointerEvent) => {
    if (!event.isPrimary) return;
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
}

function within(fraction: number): number {
  return Math.min(1, Math.max(0, fraction));
}
