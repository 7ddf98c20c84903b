// A small micrograph with its picks: as many pictures as the page shows, each a JPEG and one path of circles.
import { useState } from "react";
import { address } from "../../../api/http";
import type { Drawn } from "../data";

interface Props {
  src: string;
  drawn: Drawn | null;
  diameterAngst: number;
  threshold: number | null;
  alt: string;
  colour?: string;
  wide?: boolean;
}

/** Circles of the picks that reach the threshold. */
export function picksPath(
  drawn: Drawn,
  diameterAngst: number,
  threshold: number | null,
): { d: string; count: number } {
  const { x, y, fom } = drawn.picks,
    pixel = drawn.pixel_size_angst || 1;
  const r = Math.max(drawn.width / 120, diameterAngst / 2 / pixel);
  let d = "",
    count = 0;
  for (let i = 0; i < x.length; i++) {
    if (fom && threshold !== null && fom[i] < threshold) continue;
    count++;
    d += `M${(x[i] - r).toFixed(0)} ${y[i].toFixed(0)}a${r.toFixed(0)} ${r.toFixed(0)} 0 1 0 ${(2 * r).toFixed(0)} 0a${r.toFixed(0)} ${r.toFixed(0)} 0 1 0 ${(-2 * r).toFixed(0)} 0`;
  }
  return { d, count };
}

export function MicrographThumb({
  src,
  drawn,
  diameterAngst,
  threshold,
  alt,
  colour = "#f0e442",
  wide,
}: Props) {
  const [failed, setFailed] = useState("");
  const known = drawn && drawn.width > 0;
  const path = known ? picksPath(drawn, diameterAngst, threshold) : null;
  return (
    <span
      className={`mic-thumb${wide ? " wide" : ""}`}
      style={known ? { aspectRatio: `${drawn.width} / ${drawn.height}` } : undefined}
    >
      {failed === src ? (
        <em>no picture yet</em>
      ) : (
        <img loading="lazy" alt={alt} src={src} onError={() => setFailed(src)} />
      )}
      {path && path.count > 0 && (
        <svg viewBox={`0 0 ${drawn!.width} ${drawn!.height}`} aria-hidden>
          <path
            d={path.d}
            fill="none"
            stroke={colour}
            strokeWidth={drawn!.width / (wide ? 320 : 130)}
          />
        </svg>
      )}
    </span>
  );
}

export const thumbnail = (pid: string, path: string, side: number, version: number | string) =>
  address(`p/${pid}/micrographs/thumbnail`, { path, side, v: version });
