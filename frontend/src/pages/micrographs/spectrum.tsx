// The power spectrum with the CTF that was fitted to it, rings at resolutions, and both as curves.
import { useMemo } from "react";
import { address } from "../../api/http";
import type { MicrographInfo } from "../../api/types";
import { asResolution, LinePlot } from "../../plots/lines";

const RINGS = [30, 20, 15, 10, 8, 6, 5, 4, 3.5, 3, 2.5, 2, 1.5],
  LEAST_APART = 0.09; // of the picture's side, between rings

/** Resolutions (Å) with radii as a share of half the side, where the edge is at 1 / (2 pixel). */
export function rings(pixel: number): { angst: number; radius: number }[] {
  const found: { angst: number; radius: number }[] = [];
  for (const angst of RINGS) {
    const radius = (2 * pixel) / angst;
    if (radius > 0.98 || radius < 0.12) continue;
    if (found.length && radius - found[found.length - 1].radius < 2 * LEAST_APART) continue;
    found.push({ angst, radius });
  }
  return found;
}

export function Spectrum({ pid, path, list, info }: Props) {
  const pixel = info.spectrum_pixel_angst ?? 0;
  const shown = useMemo(() => (pixel > 0 ? rings(pixel) : []), [pixel]);
  return (
    <section>
      <h3>Power spectrum and CTF fit</h3>
      <div className="spectrum-box">
        <img
          className="spectrum"
          alt="power spectrum with the fitted CTF"
          src={address(`p/${pid}/micrographs/spectrum`, { path, list, v: info.changed })}
        />
        <svg viewBox="-1 -1 2 2" aria-hidden>
          {shown.map(({ angst, radius }) => (
            <g key={angst}>
              <circle r={radius} fill="none" stroke="#f0e442" strokeWidth={0.004} opacity={0.55} />
              <text x={radius * 0.7071 + 0.01} y={-radius * 0.7071} fontSize={0.075} fill="#f0e442">
                {angst} Å
              </text>
            </g>
          ))}
        </svg>
      </div>
    </section>
  );
}

interface Props {
  pid: string;
  path: string;
  list: string;
  info: MicrographInfo;
}

export function CtfCurves({ ctf }: { ctf: NonNullable<MicrographInfo["ctf"]> }) {
  const series = useMemo(
    () => [
      { name: "spectrum", y: ctf.spectrum },
      { name: "CTF²", y: ctf.ctf },
      { name: "agreement", y: ctf.agreement },
    ],
    [ctf],
  );
  return (
    <section>
      <h3>CTF fit</h3>
      <LinePlot
        title="CTF fit"
        height={170}
        xTitle="spatial frequency (1/Å)"
        yTitle="power (normalised)"
        xSaid={asResolution}
        x={ctf.frequency}
        series={series}
        yRange={RANGE}
      />
    </section>
  );
}
const RANGE: [number, number] = [-0.1, 1.05];
