// Everything beside the picture: picks, how it is shown, figures, spectrum, drift.
import type { MicrographInfo, Micrographs } from "../../api/types";
import { useProject } from "../../context";
import { Boundary } from "../../ui/boundary";
import { DriftTrack } from "./drift";
import { FiguresPanel } from "./figurespanel";
import { PicksPanel } from "./pickspanel";
import { PicturePanel, type Look } from "./picture";
import { CtfCurves, Spectrum } from "./spectrum";

export function SidePanels({
  table,
  index,
  name,
  info,
  look,
  picks,
}: {
  table: Micrographs;
  index: number | null;
  name: string;
  info: MicrographInfo | null;
  look: Look;
  picks: React.ComponentProps<typeof PicksPanel>;
}) {
  const { pid } = useProject();
  const pixel = table.pixel_size_angst;
  return (
    <aside className="figures">
      <Boundary what="Picks">
        <PicksPanel {...picks} />
      </Boundary>
      <PicturePanel look={look} />
      {index !== null && <FiguresPanel table={table} index={index} />}
      {info?.has_spectrum && <Spectrum pid={pid} path={name} list={table.path} info={info} />}
      {info?.ctf && (
        <Boundary what="The CTF fit">
          <CtfCurves ctf={info.ctf} />
        </Boundary>
      )}
      {info?.drift && (
        <section>
          <h3>Drift track ({pixel > 0 ? "Å" : "pixels"})</h3>
          <DriftTrack drift={info.drift} scale={pixel || 1} />
        </section>
      )}
    </aside>
  );
}
