// Where particles look: counts over equal areas, on a sphere that turns, and flat beside it, with axes and scale.
import { useEffect, useMemo, useRef, useState } from "react";
import type { Orientations as Shown } from "../../api/types";
import { useData } from "../../hooks";
import { download, saveCanvas } from "../../plots/files";
import { useColours } from "../../shell/theme";
import { Menu } from "../../ui/menu";
import { Loading } from "../../ui/parts";
import { count } from "../../ui/words";
import { ColourBar } from "./colourbar";

const SIDE = 220,
  STEP = 0.15; // pixels; radians of an arrow key

export function Orientations({ pid, path }: { pid: string; path: string }) {
  const found = useData<Shown>(`p/${pid}/maps/angles`, { path });
  if (found.error) return <p className="hint">{found.error}</p>;
  if (!found.data) return <Loading />;
  const { counts, particles, symmetry, mates } = found.data;
  if (!particles) return <p className="hint">No particle is listed in {path}.</p>;
  if (counts.flat().filter(n => n > 0).length < 2)
    return (
      <p className="hint">
        All particles look along one direction: a classification in 2D turns them only in the plane.
      </p>
    );
  const most = Math.max(1, ...counts.flat());
  return (
    <figure className="angles">
      <div>
        <Sphere counts={counts} most={most} />
        <Flat counts={counts} most={most} />
      </div>
      <ColourBar
        range={[0, most]}
        text="particles in a cell (steps as the square root)"
        colours={SCALE.map(n => `rgb(${colour(n * n, 1).join(",")})`)}
      />
      <figcaption>
        {count(particles)} particles
        {mates > 1 && `, each at the ${mates} directions that ${symmetry} makes equivalent`}. Drag
        or arrow keys turn the sphere.{" "}
        <Menu
          title="⋯"
          label="orientations: save"
          entries={[
            {
              text: "Save as CSV",
              act: () => download("orientations.csv", csv(counts), "text/csv"),
            },
            {
              text: "Save the sphere as PNG",
              act: () => {
                const drawn = document.querySelector<HTMLCanvasElement>(".angles canvas");
                if (drawn) saveCanvas(drawn, "orientations.png", "#fff");
              },
            },
          ]}
        />
      </figcaption>
    </figure>
  );
}
const SCALE = [0, 0.25, 0.5, 0.75, 1];

/** Middle of each cell in degrees, and how many look there. */
function csv(counts: number[][]): string {
  const lines = counts.flatMap((row, r) =>
    row.map((n, c) => {
      const tilt = (180 / Math.PI) * Math.acos(1 - (2 * (r + 0.5)) / counts.length);
      const rot = ((c + 0.5) / row.length) * 360 - 180;
      return `${rot.toFixed(2)},${tilt.toFixed(2)},${n}`;
    }),
  );
  return ["rot_deg,tilt_deg,particles", ...lines].join("\n") + "\n";
}

/** Cream for none to dark blue for most: light to dark, whatever eyes see of hues. */
function colour(n: number, most: number): [number, number, number] {
  const t = Math.sqrt(n / most);
  return [Math.round(253 - 253 * t), Math.round(246 - 176 * t), Math.round(220 - 70 * t)];
}

const ROTS = [-180, -90, 0, 90, 180],
  TILTS = [0, 60, 90, 120, 180];

function Flat({ counts, most }: { counts: number[][]; most: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState("");
  useEffect(() => {
    const el = canvas.current!,
      c = el.getContext("2d")!;
    el.width = counts[0].length;
    el.height = counts.length;
    const image = c.createImageData(el.width, el.height);
    counts.flat().forEach((n, i) => image.data.set([...colour(n, most), 255], i * 4));
    c.putImageData(image, 0, 0);
  }, [counts, most]);
  const point = (event: React.PointerEvent<HTMLCanvasElement>) => {
    const { offsetX, offsetY } = event.nativeEvent,
      el = event.currentTarget;
    const r = Math.min(counts.length - 1, Math.floor((offsetY / el.clientHeight) * counts.length)),
      c = Math.min(counts[0].length - 1, Math.floor((offsetX / el.clientWidth) * counts[0].length));
    const rot = (offsetX / el.clientWidth) * 360 - 180,
      tilt = (180 / Math.PI) * Math.acos(1 - (2 * offsetY) / el.clientHeight);
    setAt(`rot ${rot.toFixed(0)}°, tilt ${tilt.toFixed(0)}°: ${counts[r]?.[c] ?? 0}`);
  };
  return (
    <div className="flat-box">
      <div className="flat-tilts" aria-hidden>
        {TILTS.map(tilt => (
          <span key={tilt} style={{ top: `${50 * (1 - Math.cos((tilt * Math.PI) / 180))}%` }}>
            {tilt}°
          </span>
        ))}
      </div>
      <canvas
        ref={canvas}
        className="flat"
        role="img"
        aria-label="orientations, flat: rot across, tilt down, equal areas"
        onPointerMove={point}
        onPointerLeave={() => setAt("")}
      />
      <div className="flat-rots" aria-hidden>
        {ROTS.map(rot => (
          <span key={rot} style={{ left: `${(100 * (rot + 180)) / 360}%` }}>
            {rot}°
          </span>
        ))}
      </div>
      <small>{at || "rot across, tilt down (equal areas)"}</small>
    </div>
  );
}

/** Orthographic view; `turn` is (about the vertical, about the horizontal). At first x looks at the viewer. */
function Sphere({ counts, most }: { counts: number[][]; most: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [turn, setTurn] = useState<[number, number]>([0.5, 0.35]);
  const held = useRef<[number, number] | null>(null);
  const ink = useColours().dark ? "#ff8f66" : "#c2410c";
  const by = useMemo(
    () => (a: number, b: number) =>
      setTurn(([x, y]) => [x + a, Math.max(-Math.PI / 2, Math.min(Math.PI / 2, y + b))]),
    [],
  );
  useEffect(() => {
    if (canvas.current) paint(canvas.current, counts, most, turn, ink);
  }, [counts, most, turn, ink]);
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
  turn: [number, number],
  ink: string,
) {
  const [about, over] = turn;
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
  axes(c, turn, ink);
}

/** x, y, z where they leave the sphere; those at the back are pale. */
function axes(c: CanvasRenderingContext2D, [about, over]: [number, number], ink: string) {
  const radius = SIDE / 2 - 2;
  const [ca, sa, co, so] = [Math.cos(about), Math.sin(about), Math.cos(over), Math.sin(over)];
  c.font = "600 11px system-ui";
  c.textAlign = "center";
  for (const [name, x, y, z] of AXES) {
    const right = x * sa + y * ca,
      deep = x * ca - y * sa;
    const up = z * co - deep * so,
      front = z * so + deep * co;
    c.globalAlpha = front < 0 ? 0.25 : 1;
    c.strokeStyle = c.fillStyle = ink;
    const u = SIDE / 2 + right * radius,
      v = SIDE / 2 - up * radius;
    c.beginPath();
    c.arc(u, v, 3, 0, 7);
    c.fill();
    c.fillText(name, u + (u > SIDE / 2 + 90 ? -9 : 9), v + (v < 16 ? 14 : -5));
  }
  c.globalAlpha = 1;
}
const AXES: [string, number, number, number][] = [
  ["x", 1, 0, 0],
  ["y", 0, 1, 0],
  ["z", 0, 0, 1],
];
