// Lines across a plot that mark a limit or a criterion, each with its words.
import type uPlot from "uplot";
import type { Palette } from "../shell/theme";
import type { Mark } from "./spec";

export function marksPlugin(marks: () => Mark[], colours: () => Palette): uPlot.Plugin {
  return {
    hooks: {
      draw: plot => {
        const c = plot.ctx,
          { left, top, width, height } = plot.bbox,
          ratio = devicePixelRatio;
        c.save();
        c.beginPath();
        c.rect(left, top, width, height);
        c.clip();
        c.font = `${11 * ratio}px system-ui`;
        c.lineWidth = ratio;
        c.textAlign = "left";
        c.textBaseline = "alphabetic";
        for (const mark of marks()) {
          const colour = mark.colour ?? colours().ink;
          c.strokeStyle = colour;
          c.fillStyle = colour;
          c.setLineDash([4 * ratio, 3 * ratio]);
          c.beginPath();
          if (mark.y !== undefined) {
            const y = plot.valToPos(mark.y, "y", true);
            c.moveTo(left, y);
            c.lineTo(left + width, y);
            if (mark.text) c.fillText(mark.text, left + 4 * ratio, y - 3 * ratio);
          } else if (mark.x !== undefined) {
            const x = plot.valToPos(mark.x, "x", true);
            c.moveTo(x, top);
            c.lineTo(x, top + height);
            if (mark.text) {
              c.textAlign = x > left + width * 0.7 ? "right" : "left";
              c.fillText(
                mark.text,
                x + (c.textAlign === "right" ? -4 : 4) * ratio,
                top + 11 * ratio,
              );
            }
          }
          c.stroke();
        }
        c.restore();
      },
    },
  };
}
