// What a hand does in a plot: choose a point by a click, a range by dragging (Shift-drag zooms there).
import type uPlot from "uplot";
import { nearest } from "./nearest";
import type { Numbers } from "./spec";

const MOVED = 4; // pixels: beyond, it is a drag

export interface Acts {
  pick?: (index: number) => void; // of the drawn points
  brush?: (range: [number, number] | null) => void;
  brushed: [number, number] | null;
  chosen: number; // of the drawn points, -1: none
  series: () => Numbers[];
  colour: () => { ink: string; shade: string };
}

export function pointerPlugin(acts: () => Acts): uPlot.Plugin {
  return {
    hooks: {
      ready: plot => {
        let begin: number | null = null,
          frame = 0;
        const at = (event: MouseEvent) => event.clientX - plot.over.getBoundingClientRect().left;
        const move = (event: MouseEvent) => {
          const { brush } = acts();
          if (begin === null || !brush || Math.abs(at(event) - begin) <= MOVED || frame) return;
          const from = begin,
            to = Math.max(0, Math.min(plot.over.clientWidth, at(event)));
          frame = requestAnimationFrame(() => {
            frame = 0;
            const ends = [plot.posToVal(from, "x"), plot.posToVal(to, "x")];
            brush([Math.min(...ends), Math.max(...ends)]);
          });
        };
        const up = (event: MouseEvent) => {
          window.removeEventListener("mousemove", move);
          window.removeEventListener("mouseup", up);
          if (begin === null) return;
          const moved = Math.abs(at(event) - begin) > MOVED;
          begin = null;
          if (moved) return;
          const { pick, brush, brushed, series } = acts();
          if (brush && brushed) brush(null);
          const top = event.clientY - plot.over.getBoundingClientRect().top;
          const found = pick ? nearest(plot, series(), at(event), top) : -1;
          if (found >= 0) pick!(found);
        };
        plot.over.addEventListener(
          "mousedown",
          event => {
            if (event.button !== 0) return;
            const brushes = Boolean(acts().brush) && !event.shiftKey;
            plot.cursor.drag!.x = !brushes;
            begin = event.shiftKey ? null : at(event);
            window.addEventListener("mousemove", move);
            window.addEventListener("mouseup", up);
          },
          true,
        );
      },
      draw: plot => {
        const { brushed, chosen, series, colour } = acts(),
          c = plot.ctx,
          { left, top, width, height } = plot.bbox;
        c.save();
        c.beginPath();
        c.rect(left, top, width, height);
        c.clip();
        if (brushed) {
          const from = plot.valToPos(brushed[0], "x", true),
            to = plot.valToPos(brushed[1], "x", true);
          c.fillStyle = colour().shade;
          c.fillRect(from, top, to - from, height);
        }
        const y = chosen >= 0 ? series().find(each => each[chosen] != null)?.[chosen] : null;
        if (y != null) {
          c.strokeStyle = colour().ink;
          c.lineWidth = 2 * devicePixelRatio;
          c.beginPath();
          c.arc(
            plot.valToPos(plot.data[0][chosen], "x", true),
            plot.valToPos(y, "y", true),
            6 * devicePixelRatio,
            0,
            7,
          );
          c.stroke();
        }
        c.restore();
      },
    },
  };
}
