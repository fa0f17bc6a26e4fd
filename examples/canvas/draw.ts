/** Draws the canvas, what is on it, and pointers. Pointers keep their size, however large the canvas is drawn. */

import type { View } from "./view.ts";

const NOTES = [
  { x: -400, y: -120, color: "#ffd966", text: "Drag to pan" },
  { x: -100, y: -170, color: "#9fd8b4", text: "Ctrl and scroll to zoom" },
  { x: 200, y: -100, color: "#f4b6c2", text: "Open another window" },
  { x: -180, y: 90, color: "#a9c9f5", text: "Click a name to go there" },
  { x: 1400, y: 700, color: "#d7bff0", text: "You found me" },
];
const NOTE = { width: 220, height: 140 };
const DOTS = 40;
/** Pointers outside of the view are drawn so far from its edge. */
const EDGE = 12;
const LABEL_HEIGHT = 24;
const FONT = "system-ui, sans-serif";

type Place = { readonly x: number; readonly y: number };

/** The rest is drawn on what this returns, in CSS pixels. */
export function drawCanvas(canvas: HTMLCanvasElement, view: View): CanvasRenderingContext2D {
  const painter = canvas.getContext("2d");
  if (!painter) throw new Error("this browser draws no canvas");
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  painter.setTransform(scale, 0, 0, scale, 0, 0);
  painter.fillStyle = isDark ? "#14161a" : "#f6f7f9";
  painter.fillRect(0, 0, width, height);

  // Fewer dots where they would be dense.
  const step = DOTS * 2 ** Math.max(0, Math.ceil(-Math.log2(view.zoom)));
  painter.fillStyle = isDark ? "#363c47" : "#cdd3dd";
  for (let x = Math.ceil(view.x / step) * step; (x - view.x) * view.zoom < width; x += step)
    for (let y = Math.ceil(view.y / step) * step; (y - view.y) * view.zoom < height; y += step)
      painter.fillRect((x - view.x) * view.zoom - 1, (y - view.y) * view.zoom - 1, 2, 2);

  painter.setTransform(scale * view.zoom, 0, 0, scale * view.zoom, -view.x * view.zoom * scale, -view.y * view.zoom * scale);
  painter.font = `500 16px ${FONT}`;
  painter.textBaseline = "middle";
  for (const { x, y, color, text } of NOTES) {
    painter.fillStyle = color;
    painter.beginPath();
    painter.roundRect(x, y, NOTE.width, NOTE.height, 8);
    painter.fill();
    painter.fillStyle = "#1b1f27";
    painter.fillText(text, x + 14, y + 26, NOTE.width - 28);
  }
  painter.setTransform(scale, 0, 0, scale, 0, 0);
  return painter;
}

/** `at`: pixels from the top left corner, perhaps outside of the view; then the name is at the edge. */
export function drawCursor(painter: CanvasRenderingContext2D, { username, color }: { username: string; color: string }, at: Place): void {
  const { clientWidth: width, clientHeight: height } = painter.canvas;
  const isSeen = at.x >= 0 && at.y >= 0 && at.x <= width && at.y <= height;
  painter.font = `500 13px ${FONT}`;
  painter.textBaseline = "middle";
  const labelWidth = painter.measureText(username).width + 16;
  const x = Math.min(Math.max(at.x + 10, EDGE), width - EDGE - labelWidth);
  const y = Math.min(Math.max(at.y + 14, EDGE), height - EDGE - LABEL_HEIGHT);
  painter.lineWidth = 2;
  painter.strokeStyle = color;
  painter.fillStyle = color;
  if (isSeen) {
    painter.beginPath();
    for (const [right, down] of [
      [0, 0],
      [13, 5.5],
      [7, 7.5],
      [4.5, 13],
    ] as const)
      painter.lineTo(at.x + right, at.y + down);
    painter.closePath();
    painter.fill();
  }
  painter.globalAlpha = isSeen ? 1 : 0.75;
  painter.fillStyle = "#fff";
  painter.beginPath();
  painter.roundRect(x, y, labelWidth, LABEL_HEIGHT, LABEL_HEIGHT / 2);
  painter.fill();
  painter.stroke();
  painter.fillStyle = "#1b1f27";
  painter.fillText(username, x + 8, y + LABEL_HEIGHT / 2);
  painter.globalAlpha = 1;
}
