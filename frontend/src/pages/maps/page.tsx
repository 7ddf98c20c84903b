// Maps: two side by side as isosurface and sections; below, FSC curves and orientations of a model.
import { useMemo, useState } from "react";
import { useProject } from "../../context";
import { go, link, useData, useRoute } from "../../hooks";
import { Empty, Loading, Problem } from "../../ui/parts";
import { Curves } from "./curves";
import { MapPanel } from "./panel";
import { Orientations } from "./sphere";
import "./maps.css";

export interface KnownMaps {
  maps: string[];
  models: Record<string, string>;
}

export function MapsPage() {
  const { pid } = useProject();
  const { query } = useRoute();
  const known = useData<KnownMaps>(`p/${pid}/maps`);
  const classes = useData<{ models: string[] }>(`p/${pid}/classes`);
  const a = query.get("a") || known.data?.maps[0] || "";
  const b = query.get("b") ?? "";
  const models = useMemo(
    () => [
      ...new Set([...(classes.data?.models ?? []), ...Object.values(known.data?.models ?? {})]),
    ],
    [classes.data, known.data],
  );
  const model = query.get("model") || known.data?.models[a] || classes.data?.models[0] || "";
  const show = (next: Record<string, string>) =>
    go(link(pid, "maps", { a, b, model: query.get("model") ?? "", ...next }), true);
  if (known.error) return <Problem text={known.error} retry={known.reload} />;
  if (!known.data) return <Loading what="maps" />;
  return (
    <div className="maps">
      <div className="map-pair">
        {a ? (
          <MapPanel path={a} maps={known.data.maps} choose={path => show({ a: path, model: "" })} />
        ) : (
          <Empty title="No maps yet.">
            Refinements, classifications in 3D and masks show their maps here. Any MRC map of the
            project can be opened:{" "}
            <OpenAny what="path/of/map.mrc" open={path => show({ a: path })} />
          </Empty>
        )}
        {a &&
          (b ? (
            <MapPanel
              path={b}
              maps={known.data.maps}
              choose={path => show({ b: path })}
              close={() => show({ b: "" })}
            />
          ) : (
            <div className="second">
              <button onClick={() => show({ b: a })}>Second map beside it</button>
              <span className="hint">
                or any MRC map of the project:{" "}
                <OpenAny what="path/of/map.mrc" open={path => show({ b: path })} />
              </span>
            </div>
          ))}
      </div>
      <ModelPart model={model} models={models} choose={path => show({ model: path })} />
    </div>
  );
}

/** Curves and orientations of a model, walked through its iterations. */
function ModelPart({
  model,
  models,
  choose,
}: {
  model: string;
  models: string[];
  choose: (path: string) => void;
}) {
  const { pid } = useProject();
  const series = useData<{ models: string[] }>(model ? `p/${pid}/maps/iterations` : null, {
    model,
  });
  const steps = series.data?.models ?? [],
    at = steps.indexOf(model);
  return (
    <section className="map-model">
      <header className="row-tools">
        <h3>Model</h3>
        <select value={model} onChange={event => choose(event.target.value)} aria-label="model">
          {models.map(each => (
            <option key={each}>{each}</option>
          ))}
          {!models.includes(model) && <option value={model}>{model || "none"}</option>}
        </select>
        <OpenAny what="any _model.star or postprocess.star" open={choose} />
        {steps.length > 1 && at >= 0 && (
          <label className="slider inline">
            iteration {/_it(\d+)_/.exec(model)?.[1] ?? ""}
            <input
              type="range"
              min={0}
              max={steps.length - 1}
              value={at}
              onChange={event => choose(steps[Number(event.target.value)])}
            />
          </label>
        )}
      </header>
      <div className="map-curves">
        <section>
          <h3>Fourier shell correlation</h3>
          {model ? (
            <Curves pid={pid} path={model} />
          ) : (
            <p className="hint">A model or postprocess file shows its curves here.</p>
          )}
        </section>
        <section>
          <h3>Orientations</h3>
          {model ? (
            <Orientations pid={pid} path={model.replace(/_(half\d_)?model\.star$/, "_data.star")} />
          ) : (
            <p className="hint">Particles that were aligned show here where they look.</p>
          )}
        </section>
      </div>
    </section>
  );
}

function OpenAny({ what, open }: { what: string; open: (path: string) => void }) {
  const [path, setPath] = useState("");
  return (
    <form
      className="row-tools open-any"
      onSubmit={event => {
        event.preventDefault();
        if (path.trim()) open(path.trim());
      }}
    >
      <input
        placeholder={what}
        aria-label={what}
        value={path}
        onChange={event => setPath(event.target.value)}
      />
      <button>Open</button>
    </form>
  );
}
