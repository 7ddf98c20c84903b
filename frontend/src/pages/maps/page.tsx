// Maps: two side by side as isosurface and sections, with mask, colours and atoms; below, what a model says of them.
import { useMemo, useState } from "react";
import type { MapsShown } from "../../api/types";
import { useProject } from "../../context";
import { go, link, useData, usePersisted, useRoute } from "../../hooks";
import { Boundary } from "../../ui/boundary";
import { Empty, Loading, Problem } from "../../ui/parts";
import { ClassMaps } from "./classmaps";
import "./maps.css";
import { ModelPart } from "./modelpart";
import { OpenAny } from "./openany";
import { Overlays } from "./overlays";
import { MapPanel } from "./panel";

const KEPT = ["a", "b", "model", "mask", "colour", "atoms", "view"] as const; // in the address
type Kept = Record<(typeof KEPT)[number], string>;

export function MapsPage() {
  const { pid } = useProject();
  const { query } = useRoute();
  const known = useData<MapsShown>(`p/${pid}/maps`);
  const classes = useData<{ models: string[] }>(`p/${pid}/classes`);
  const asked = Object.fromEntries(KEPT.map(key => [key, query.get(key) ?? ""])) as Kept;
  const a = asked.a || best(known.data?.maps ?? []);
  const models = useMemo(
    () => [
      ...new Set([...(classes.data?.models ?? []), ...Object.values(known.data?.models ?? {})]),
    ],
    [classes.data, known.data],
  );
  const model = asked.model || known.data?.models[a] || classes.data?.models[0] || "";
  const show = (next: Partial<Kept>) => go(link(pid, "maps", { ...asked, a, ...next }), true);
  if (known.error && !known.data) return <Problem text={known.error} retry={known.reload} />;
  if (!known.data) return <Loading what="maps" />;
  const open = (text: string) => (
    <OpenAny what="path/of/map.mrc" open={path => show({ [text]: path })} />
  );
  if (!a && !model)
    return (
      <div className="maps">
        <Empty title="No maps yet.">
          Refinements, classifications in 3D and masks show their maps here. Any MRC map of the
          project can be opened: {open("a")}
        </Empty>
      </div>
    );
  return (
    <div className="maps">
      {asked.view === "classes" && model ? (
        <ClassMaps
          model={model}
          open={path => show({ a: path, view: "" })}
          compare={(one, other) => show({ a: one, b: other, view: "" })}
          close={() => show({ view: "" })}
        />
      ) : (
        <Pair
          a={a}
          b={asked.b}
          maps={known.data.maps}
          shown={asked}
          show={show}
          open={open("b")}
          classes={() => show({ view: "classes" })}
        />
      )}
      <Boundary key={model} what="The model">
        <ModelPart model={model} models={models} choose={path => show({ model: path })} />
      </Boundary>
    </div>
  );
}

/** The map to begin with: a final one before the halves and masks. */
function best(maps: string[]): string {
  const final = [/postprocess\.mrc$/, /run_class\d+\.mrc$/, /^(?!.*(mask|half\d|locres\.mrc))/];
  for (const wanted of final) {
    const found = maps.filter(each => wanted.test(each)).at(-1);
    if (found) return found;
  }
  return maps[0] ?? "";
}

function Pair({
  a,
  b,
  maps,
  shown,
  show,
  open,
  classes,
}: {
  a: string;
  b: string;
  maps: string[];
  shown: Kept;
  show: (next: Partial<Kept>) => void;
  open: React.ReactNode;
  classes: () => void;
}) {
  const [locked, setLocked] = usePersisted("maps.locked", true);
  const [position, setPosition] = useState(0.5);
  const { mask, colour, atoms } = shown;
  const common = { maps, mask, colour, atoms, position, setPosition, locked: locked && Boolean(b) };
  const other = /half1/.test(a) && maps.find(each => each === a.replace("half1", "half2"));
  return (
    <>
      <Overlays maps={maps} shown={shown} show={show}>
        {b && (
          <label className="check">
            <input
              type="checkbox"
              checked={locked}
              onChange={event => setLocked(event.target.checked)}
            />{" "}
            turn together
          </label>
        )}
        <button onClick={classes}>3D classes</button>
      </Overlays>
      <div className="map-pair">
        {a && <MapPanel {...common} path={a} choose={path => show({ a: path, model: "" })} />}
        {b ? (
          <MapPanel
            {...common}
            path={b}
            choose={path => show({ b: path })}
            close={() => show({ b: "" })}
          />
        ) : (
          <div className="second">
            <button onClick={() => show({ b: other || a })}>
              {other ? "The other half beside it" : "Second map beside it"}
            </button>
            <span className="hint">or any MRC map of the project: {open}</span>
          </div>
        )}
      </div>
    </>
  );
}
