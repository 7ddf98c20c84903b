// One map: isosurface with its threshold, what is shown with it, sections, a slider through the iterations.
import { useMemo, useRef, useState } from "react";
import type { ProjectRow } from "../../api/types";
import { useProject } from "../../context";
import { useData } from "../../hooks";
import { download } from "../../plots/files";
import { Boundary } from "../../ui/boundary";
import { Menu } from "../../ui/menu";
import { Loading, Problem } from "../../ui/parts";
import { baseName, number } from "../../ui/words";
import { useAtomsOf } from "./atoms";
import { ColourBar } from "./colourbar";
import { cxcOf } from "./cxc";
import { IterationSlider } from "./iterations";
import { Sections } from "./sections";
import { Surface } from "./surface";
import { COARSE, FINE, scaleOf, useVolume, WHOLE, type Volume } from "./volume";

export interface Shown {
  mask: string;
  colour: string;
  atoms: string;
}
interface Props extends Shown {
  path: string;
  maps: string[];
  choose: (path: string) => void;
  close?: () => void;
  locked: boolean;
  position: number;
  setPosition: (share: number) => void;
}

function Threshold({
  volume,
  level,
  set,
}: {
  volume: Volume;
  level: number;
  set: (level: number | null) => void;
}) {
  const sigma = (level - volume.mean) / (volume.deviation || 1);
  return (
    <label className="slider">
      threshold {number(level)} <small>({number(sigma)} σ)</small>{" "}
      {level !== volume.level && (
        <button type="button" className="plain" onClick={() => set(null)}>
          by itself
        </button>
      )}
      <input
        type="range"
        aria-label="threshold"
        min={volume.mean}
        max={volume.maximum}
        step="any"
        value={level}
        onChange={event => set(Number(event.target.value))}
      />
    </label>
  );
}

export function MapPanel(props: Props) {
  const { path, maps, choose, close, mask, colour, atoms, locked } = props;
  const { pid } = useProject();
  const root = useData<ProjectRow[]>("projects").data?.find(each => each.id === pid)?.path ?? "";
  const [fine, setFine] = useState(false);
  const { volume, error } = useVolume(path, fine ? FINE : COARSE);
  const overMask = useVolume(mask).volume;
  const byColour = useVolume(colour, WHOLE).volume;
  const model = useAtomsOf(atoms);
  const [chosen, setChosen] = useState<{ path: string; level: number } | null>(null);
  const level = chosen?.path === path ? chosen.level : (volume?.level ?? 0);
  const scale = useMemo(
    () => (byColour ? { volume: byColour, range: scaleOf(byColour) } : null),
    [byColour],
  );
  const picture = useRef<(() => string) | null>(null);
  const name = baseName(path).replace(/\.mrc$/, "");
  const script = () =>
    download(
      `${name}.cxc`,
      cxcOf({
        root,
        map: path,
        level,
        mask,
        colour: colour && scale ? { map: colour, range: scale.range } : undefined,
        atoms,
      }),
    );
  const savePicture = async () => {
    const made = picture.current?.();
    if (made) download(`${name}.png`, await (await fetch(made)).blob());
  };
  return (
    <section className="map-panel" aria-label={`map ${path}`}>
      <header>
        <select value={path} onChange={event => choose(event.target.value)} aria-label="map">
          {maps.map(each => (
            <option key={each}>{each}</option>
          ))}
          {!maps.includes(path) && <option>{path}</option>}
        </select>
        <Menu
          title="⋯"
          label={`more of ${name}`}
          entries={[
            { text: "Save the picture as PNG", act: () => void savePicture() },
            { text: "Open in ChimeraX (.cxc)", act: script },
            {
              text: "Download the map",
              act: () => {
                location.href = `api/p/${pid}/file?path=${encodeURIComponent(path)}&download=true`;
              },
            },
            { text: fine ? "Coarser surface" : "Finer surface", act: () => setFine(!fine) },
          ]}
        />
        {close && (
          <button className="plain" onClick={close} aria-label="close">
            ✕
          </button>
        )}
      </header>
      {error || model.error ? <Problem text={error || model.error} /> : null}
      {!volume ? (
        !error && <Loading what={baseName(path)} />
      ) : (
        <>
          <Boundary key={path} what="The surface">
            <Surface
              volume={volume}
              level={level}
              mask={overMask}
              colour={scale}
              atoms={model.atoms}
              locked={locked}
              picture={picture}
            />
          </Boundary>
          {scale && <ColourBar range={scale.range} text="local resolution (Å)" />}
          <Threshold
            volume={volume}
            level={level}
            set={next => setChosen(next === null ? null : { path, level: next })}
          />
        </>
      )}
      <IterationSlider path={path} maps={maps} choose={choose} />
      <Sections
        path={path}
        mask={mask}
        width={volume?.width ?? 0}
        position={props.position}
        setPosition={props.setPosition}
      />
    </section>
  );
}
