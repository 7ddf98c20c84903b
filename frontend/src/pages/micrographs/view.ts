// The canvas of a micrograph as React knows it: made for each picture, told of contrast, picks and keys.
import { useEffect, useRef, useState } from "react";
import { address } from "../../api/http";
import type { MicrographInfo } from "../../api/types";
import { MicrographCanvas } from "./canvas";
import type { Point } from "./picks";
import type { Look } from "./picture";

export interface ViewProps {
  pid: string;
  path: string;
  info: MicrographInfo;
  pixel: number;
  look: Look;
  points: Point[];
  minimum: number | null;
  candidates: boolean; // those below the minimum are drawn, dashed
  radius: number;
  editing: boolean;
}

export function useView(props: ViewProps) {
  const { pid, path, info, pixel, look, points, minimum, candidates, radius, editing } = props;
  const { lowPass, auto, setContrast } = look,
    [black, white] = look.contrast;
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<MicrographCanvas | null>(null);
  const [scale, setScale] = useState(0);
  const [ends, setEnds] = useState<[number, number] | null>(null);
  useEffect(() => {
    if (auto && ends) setContrast(ends);
  }, [auto, ends]); // eslint-disable-line react-hooks/exhaustive-deps -- set once for each picture
  useEffect(() => {
    const made = new MicrographCanvas(
      canvas.current!,
      info.width,
      info.height,
      info.tile,
      info.levels,
      (level, column, row) =>
        address(`p/${pid}/micrographs/tile`, {
          path,
          level,
          column,
          row,
          v: info.changed,
          ...(lowPass > 0 ? { low_pass: lowPass, pixel_size: pixel || 1 } : {}),
        }),
    );
    const old = view.current;
    if (old && old.width === made.width && old.height === made.height) {
      made.scale = old.scale;
      made.x = old.x;
      made.y = old.y;
    }
    old?.destroy();
    view.current = made;
    (window as unknown as { verglasViewer: MicrographCanvas }).verglasViewer = made; // for measuring frames
    made.onScale = setScale;
    made.onEnds = setEnds;
    made.setContrast(black, white);
    const seen = new ResizeObserver(() => made.draw());
    seen.observe(canvas.current!);
    const el = canvas.current!;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      made.zoom(Math.exp(-event.deltaY * 0.0016), event.offsetX, event.offsetY);
    };
    el.addEventListener("wheel", wheel, { passive: false });
    return () => {
      seen.disconnect();
      el.removeEventListener("wheel", wheel);
    };
  }, [pid, path, info, lowPass, pixel]); // eslint-disable-line
  useEffect(() => () => view.current?.destroy(), []);
  useEffect(() => view.current?.setContrast(black, white), [black, white]);
  useEffect(() => {
    const v = view.current;
    if (!v) return;
    v.overlay = {
      radius,
      colour: editing ? "#e69f00" : "#56b4e9",
      circles: points
        .map(p => ({
          x: p.x,
          y: p.y,
          shown: minimum === null || p.fom === null || p.fom >= minimum,
        }))
        .filter(each => each.shown || candidates),
    };
    v.draw();
  }, [points, minimum, candidates, radius, editing, info, lowPass]);
  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      const v = view.current;
      if (!v || /^(INPUT|TEXTAREA|SELECT)$/.test((event.target as HTMLElement).tagName)) return;
      const middle = [canvas.current!.clientWidth / 2, canvas.current!.clientHeight / 2] as const;
      if (event.key === "+" || event.key === "=") v.zoom(1.3, ...middle);
      if (event.key === "-") v.zoom(1 / 1.3, ...middle);
      if (event.key === "0") v.fit();
    };
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  }, []);
  return { canvas, view, scale };
}
