// What is shown with the maps: a mask over them, local resolution as their colour, an atomic model in them.
import { useState, type ReactNode } from "react";
import { FileList } from "../../files/list";
import { Dialog } from "../../ui/dialog";
import { baseName } from "../../ui/words";
import type { Shown } from "./panel";

function Choice({
  title,
  label,
  value,
  all,
  set,
}: {
  title: string;
  label: string;
  value: string;
  all: string[];
  set: (path: string) => void;
}) {
  const some = value && !all.includes(value) ? [...all, value] : all;
  if (!some.length) return null;
  return (
    <label>
      {title}{" "}
      <select value={value} onChange={event => set(event.target.value)} aria-label={label}>
        <option value="">none</option>
        {some.map(each => (
          <option key={each}>{each}</option>
        ))}
      </select>
    </label>
  );
}

export function Overlays({
  maps,
  shown,
  show,
  children,
}: {
  maps: string[];
  shown: Shown;
  show: (next: Partial<Shown>) => void;
  children: ReactNode;
}) {
  const [browsing, setBrowsing] = useState(false);
  const masks = maps.filter(each => /mask/i.test(each) && !/masked/i.test(each));
  const local = maps.filter(each => /locres\.mrc$/.test(each));
  return (
    <div className="toolbar overlays">
      <Choice
        title="Mask"
        label="mask over the map"
        value={shown.mask}
        all={masks}
        set={mask => show({ mask })}
      />
      <Choice
        title="Coloured by"
        label="coloured by local resolution"
        value={shown.colour}
        all={local}
        set={colour => show({ colour })}
      />
      {shown.atoms ? (
        <button className="chip" onClick={() => show({ atoms: "" })} title={shown.atoms}>
          {baseName(shown.atoms)} ✕
        </button>
      ) : (
        <button onClick={() => setBrowsing(true)}>Atomic model</button>
      )}
      <span className="grow" />
      {children}
      {browsing && (
        <Dialog title="Atomic model (PDB, mmCIF)" close={() => setBrowsing(false)}>
          <FileList
            pattern="Models (*.{pdb,ent,cif})"
            choose={path => {
              setBrowsing(false);
              show({ atoms: path });
            }}
          />
        </Dialog>
      )}
    </div>
  );
}
