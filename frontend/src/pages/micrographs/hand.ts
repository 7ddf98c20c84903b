// RELION's mouse: left adds, middle or Shift-left drag erases, drag moves; two fingers zoom.
import { useRef, useState } from "react";
import type { MicrographCanvas } from "./canvas";

interface Given {
  view: React.RefObject<MicrographCanvas | null>;
  width: number;
  height: number;
  radius: number;
  editing: boolean;
  add: (x: number, y: number) => void;
  erase: (x: number, y: number, radius: number) => void;
}

/** Handlers for the canvas, and where the pointer is in pixels of the micrograph. */
export function useHand({ view, width, height, radius, editing, add, erase }: Given) {
  const hand = useRef({ x: 0, y: 0, moved: false, erasing: false, down: false });
  const fingers = useRef(new Map<number, [number, number]>());
  const [at, setAt] = useState("");
  const eraseAt = (event: React.PointerEvent) => {
    const [x, y] = view.current!.toImage(event.nativeEvent.offsetX, event.nativeEvent.offsetY);
    erase(x, y, Math.max(radius * 0.7, 8 / view.current!.scale));
  };
  /** Two fingers: the picture follows their distance. */
  const pinch = (event: React.PointerEvent): boolean => {
    const known = fingers.current;
    if (known.size !== 2 || !known.has(event.pointerId)) return false;
    const apart = () => {
      const [a, b] = [...known.values()];
      return Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
    };
    const before = apart();
    known.set(event.pointerId, [event.nativeEvent.offsetX, event.nativeEvent.offsetY]);
    const [a, b] = [...known.values()];
    view.current!.zoom(apart() / before, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    hand.current.moved = true;
    return true;
  };
  const handlers = {
    onPointerDown: (event: React.PointerEvent) => {
      fingers.current.set(event.pointerId, [event.nativeEvent.offsetX, event.nativeEvent.offsetY]);
      if (event.button === 2) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      const erasing = editing && (event.button === 1 || event.shiftKey);
      hand.current = {
        x: event.clientX,
        y: event.clientY,
        moved: false,
        erasing,
        down: true,
      };
      if (erasing) {
        event.preventDefault();
        eraseAt(event);
      }
    },
    onPointerMove: (event: React.PointerEvent) => {
      if (pinch(event)) return;
      const v = view.current!,
        h = hand.current;
      const [x, y] = v.toImage(event.nativeEvent.offsetX, event.nativeEvent.offsetY);
      setAt(
        x >= 0 && y >= 0 && x < width && y < height ? `${Math.floor(x)}, ${Math.floor(y)}` : "",
      );
      if (!h.down) return;
      if (h.erasing) {
        eraseAt(event);
        return;
      }
      const dx = event.clientX - h.x,
        dy = event.clientY - h.y;
      if (!h.moved && Math.hypot(dx, dy) < 4) return;
      h.moved = true;
      h.x = event.clientX;
      h.y = event.clientY;
      v.pan(dx, dy);
    },
    onPointerUp: (event: React.PointerEvent) => {
      fingers.current.delete(event.pointerId);
      const h = hand.current;
      h.down = false;
      if (h.moved || h.erasing || event.button !== 0 || !editing) return;
      const [x, y] = view.current!.toImage(event.nativeEvent.offsetX, event.nativeEvent.offsetY);
      if (x >= 0 && y >= 0 && x < width && y < height) add(x, y);
    },
    onPointerCancel: (event: React.PointerEvent) => {
      fingers.current.delete(event.pointerId);
      hand.current.down = false;
    },
  };
  return { at, handlers };
}
