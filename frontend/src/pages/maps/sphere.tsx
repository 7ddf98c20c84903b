// Where particles look: counts over equal areas, on a sphere that turns, and flat beside it.
import { useEffect, useRef, useState } from "react";
import { useData } from "../../hooks";
import { Loading } from "../../ui/parts";

interface Angles {
  counts: number[][];
  particles: number;
}
const SIDE = 220,
  STEP = 0.15; // pixels; radians of an arrow key

export function Orientations({ pid, path }: { pid: string; path: string }) {
  const found = useData<Angles>(`p/${pid}/maps/angles`, { path });
  if (found.error) return <p className="hint">{found.error}</p>;
  if (!found.data) return <Loading />;
  if (!found.data.particles) return <p className="hint">No particle is listed in {path}.</p>;
  if (found.data.counts.flat().filter(n => n > 0).length < 2)
    return (
      <p className="hint">
        All particles look along one direction: a classification in 2D turns them only in the plane.
      </p>
    );
  const most = Math.max(1, ...found.data.counts.flat());
  return (
    <figure className="angles">
      <div>
        <Sphere counts={found.data.counts} most={most} />
        <Flat counts={found.data.counts} most={most} />
      </div>
      <figcaption>
        {found.data.particles.toLocaleString()} particles, at most {most.toLocaleString()} in a
        cell. Sphere: drag or arrow keys turn it; z is up at first. Flat: rot −180° to 180° across,
        tilt 0° to 180° down (equal areas).
      </figcaption>
    </figure>
  );
}

/** Cream for none to dark blue for most: light to dark, whatever eyes see of hues. */
function colour(n: number, most: number): [number, number, number] {
  const t = Math.sqrt(n / most);
  return [Math.round(253 - 253 * t), Math.round(246 - 176 * t), Math.round(220 - 70 * t)];
}

function Flat({ counts, most }: { counts: number[][]; most: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const el = canvas.current!,
      c = el.getContext("2d")!;
    el.width = counts[0].length;
    el.height = counts.length;
    const image = c.createImageData(el.width, el.height);
    counts.flat().forEach((n, i) => image.data.set([...colour(n, most), 255], i * 4));
    c.putImageData(image, 0, 0);
  }, [counts, most]);
  return <canvas ref={canvas} className="flat" role="img" aria-label="orientations, flat" />;
}

/** Orthographic view; `turn` is (about the vertical, about the horizontal). At first x looks at the viewer. */
function Sphere({ counts, most }: { counts: number[][]; most: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [turn, setTurn] = useState<[number, number]>([0, 0.35]);
  const held = useRef<[number, number] | null>(null);
  const by = (a: number, b: number) =>
    setTurn(([x, y]) => [x + a, Math.max(-Math.PI / 2, Math.min(Math.PI / 2, y + b))]);
  useEffect(() => {
    if (canvas.current) paint(canvas.current, counts, most, turn);
  }, [counts, most, turn]);
  return (
    <canvas
      ref={canvas}
      width={SIDE}
      height={SIDE}
      tabIndex={0}
      role="img"
      aria-label="orientations on the sphere; drag or arrow keys turn it"
      onPointerDown={event => {
        held.current = [event.clientX, event.clientY];
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={event => {
        const last = held.current;
        if (!last) return;
        by((event.clientX - last[0]) / (SIDE / 2), (event.clientY - last[1]) / (SIDE / 2));
        held.current = [event.clientX, event.clientY];
      }}
      onPointerUp={() => {
        held.current = null;
      }}
      onKeyDown={event => {
        const step = {
          ArrowLeft: [-STEP, 0],
          ArrowRight: [STEP, 0],
          ArrowUp: [0, -STEP],
          ArrowDown: [0, STEP],
        }[event.key];
        if (step) {
          event.preventDefault();
          event.stopPropagation();
          by(step[0], step[1]);
        }
      }}
    />
  );
}

function paint(
  el: HTMLCanvasElement,
  counts: number[][],
  most: number,
  [about, over]: [number, number],
) {
  const c = el.getContext("2d")!,
    image = c.createImageData(SIDE, SIDE),
    radius = SIDE / 2 - 2;
  const rows = counts.length,
    columns = counts[0].length;
  const [ca, sa, co, so] = [Math.cos(about), Math.sin(about), Math.cos(over), Math.sin(over)];
  for (let v = 0; v < SIDE; v++)
    for (let u = 0; u < SIDE; u++) {
      const right = (u - SIDE / 2) / radius,
        up = (SIDE / 2 - v) / radius,
        rest = 1 - right * right - up * up;
      if (rest < 0) continue;
      const front = Math.sqrt(rest);
      // undo the turns: over about the horizontal, then about the vertical; directions x front, y right, z up
      const z = up * co + front * so,
        f = front * co - up * so;
      const x = f * ca + right * sa,
        y = right * ca - f * sa;
      const row = Math.min(rows - 1, Math.floor(((1 - z) / 2) * rows));
      const column = Math.min(
        columns - 1,
        Math.floor(((Math.atan2(y, x) + Math.PI) / (2 * Math.PI)) * columns),
      );
      const light = 0.72 + 0.28 * front;
      image.data.set(
        [...colour(counts[row][column], most).map(each => each * light), 255],
        (v * SIDE + u) * 4,
      );
    }
  c.putImageData(image, 0, 0);
}
