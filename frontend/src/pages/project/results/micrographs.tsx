// The figures that a stage adds to its micrographs, and the newest of them.
import { address } from "../../../api/http";
import type { Micrographs } from "../../../api/types";
import { useProject } from "../../../context";
import { shownColumns, titled } from "../../../figures";
import { link, useData } from "../../../hooks";
import { Histogram } from "../../../plots/histogram";
import { baseName, count } from "../../../ui/words";

const PICTURES = 4,
  FIGURES = 4;
const NONE: [null, null] = [null, null];

export function MicrographStrip({ list, stage }: { list: string; stage: string }) {
  const { pid } = useProject();
  const table = useData<Micrographs>(`p/${pid}/micrographs/list`, { path: list }).data;
  if (!table) return null;
  const columns = shownColumns(table.columns, table.kinds);
  const kinds = table.kinds.filter(each => each.stage === stage && each.key in columns);
  const newest = table.names.filter(each => each.endsWith(".mrc")).slice(-PICTURES);
  return (
    <section className="result" aria-label="micrographs">
      <h3>
        <a href={link(pid, "micrographs", { list })}>{count(table.names.length)} micrographs</a>
      </h3>
      <div className="map-strip">
        {newest.map(name => (
          <a key={name} href={link(pid, "micrographs", { list, name })} title={name}>
            <img
              alt={baseName(name)}
              loading="lazy"
              src={address(`p/${pid}/micrographs/thumbnail`, { path: name, side: 160 })}
            />
          </a>
        ))}
      </div>
      <div className="result-plots">
        {kinds.slice(0, FIGURES).map(kind => (
          <section key={kind.key}>
            <h3 title={kind.definition}>{titled(kind)}</h3>
            <Histogram values={columns[kind.key]} title={titled(kind)} limits={NONE} height={84} />
          </section>
        ))}
      </div>
    </section>
  );
}
