/** Which part of the canvas is seen: dragged and scrolled, zoomed around the pointer. It knows nothing of presence. */

const ZOOM_MIN = 0.1;
const ZOOM_MAX = 8;

/** The point of the canvas in the top left corner, and pixels per unit of the canvas. */
export type View = { x: number; y: number; zoom: number };

export type MovingView = View & {
  /** Brings a place to the middle. Pixels from the top left corner of the element. */
  show(at: { readonly x: number; readonly y: number }): void;
};

export function createView(element: HTMLElement, changed: () => void): MovingView {
  const pan = (x: number, y: number) => {
    view.x += x / view.zoom;
    view.y += y / view.zoom;
    changed();
  };
  const view: MovingView = {
    x: -element.clientWidth / 2,
    y: -element.clientHeight / 2,
    zoom: 1,
    show: ({ x, y }) => pan(x - element.clientWidth / 2, y - element.clientHeight / 2),
  };
  const zoomAt = (x: number, y: number, factor: number) => {
    const zoom = Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, view.zoom * factor));
    view.x += x / view.zoom - x / zoom;
    view.y += y / view.zoom - y / zoom;
    view.zoom = zoom;
    changed();
  };

  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      // A pinch on a touchpad comes as a wheel with Ctrl.
      if (event.ctrlKey || event.metaKey) zoomAt(event.clientX - left, event.clientY - top, Math.exp(-event.deltaY / 200));
      else pan(event.deltaX, event.deltaY);
    },
    { passive: false },
  );

  // One finger drags; two drag and zoom.
  const fingers = new Map<number, { x: number; y: number }>();
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  element.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, now);
    pan((before.x - now.x) / fingers.size, (before.y - now.y) / fingers.size);
    if (!other) return;
    const { left, top } = element.getBoundingClientRect();
    const span = (finger: { x: number; y: number }) => Math.hypot(finger.x - other.x, finger.y - other.y);
    zoomAt((now.x + other.x) / 2 - left, (now.y + other.y) / 2 - top, span(now) / Math.max(1, span(before)));
  });
  const lift = ({ pointerId }: PointerEvent) => void fingers.delete(pointerId);
  element.addEventListener("pointerup", lift);
  element.addEventListener("pointercancel", lift);
  return view;
}
