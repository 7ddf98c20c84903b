/* eslint-disable @typescript-eslint/no-explicit-any -- the types of 3Dmol do not fit what it does */
// The isosurface of a map by 3Dmol: x to the right, y up, z towards the viewer, so that hands are right
// (tests/web/test_hand.py looks at a chiral phantom). Drag turns, wheel zooms, so do the arrow keys, + and -.
import { useEffect, useRef, useState } from "react";
import { useColours } from "../../shell/theme";
import { RESOLUTIONS } from "./colours";
import { join } from "./lock";
import type { Volume } from "./volume";

const BLUE = "#8fb8d6",
  SMOOTH = 3,
  REDRAWN_MS = 80,
  TURN_DEG = 10;
const TURNS: Record<string, [number, string]> = {
  ArrowLeft: [-TURN_DEG, "y"],
  ArrowRight: [TURN_DEG, "y"],
  ArrowUp: [-TURN_DEG, "x"],
  ArrowDown: [TURN_DEG, "x"],
};

export interface Atoms {
  text: string;
  format: "pdb" | "cif";
}
interface Props {
  volume: Volume;
  level: number;
  mask: Volume | null;
  colour: { volume: Volume; range: [number, number] } | null;
  atoms: Atoms | null;
  locked: boolean;
  picture?: React.RefObject<(() => string) | null>; // what makes a PNG of it
}
type Made = { v: any; lib: any };

/** A viewer in the box, made once; what went wrong where a browser has no WebGL. */
function useViewer(box: React.RefObject<HTMLDivElement | null>) {
  const [made, setMade] = useState<Made | null>(null);
  const [failed, setFailed] = useState("");
  const { paper } = useColours();
  useEffect(() => {
    const el = box.current;
    let wanted = true,
      v: any = null;
    void import("3dmol")
      .then((lib: any) => {
        if (!wanted || !el) return;
        v = lib.createViewer(el, { backgroundColor: "#ffffff", antialias: true });
        if (!v) throw new Error("no WebGL");
        setMade({ v, lib });
      })
      .catch(reason => setFailed(String(reason)));
    const seen = new ResizeObserver(() => v?.resize());
    if (el) seen.observe(el);
    return () => {
      wanted = false;
      seen.disconnect();
      v?.clear?.();
      setMade(null);
      if (el) el.innerHTML = "";
    };
  }, [box]);
  useEffect(() => {
    made?.v.setBackgroundColor(paper);
  }, [made, paper]);
  return { made, failed };
}

/** Draws the map, coloured by another where one is given, again when anything of it changes. */
function useIsosurface(made: Made | null, { volume, level, colour }: Props): boolean {
  const [ready, setReady] = useState(false);
  const extent = useRef(0);
  useEffect(() => {
    if (!made) return;
    const { v, lib } = made;
    let shape: any = null;
    const data = new lib.VolumeData(volume.bytes, "ccp4");
    const by = colour
      ? {
          voldata: new lib.VolumeData(colour.volume.bytes, "ccp4"),
          volscheme: new lib.Gradient.CustomLinear(...colour.range, [...RESOLUTIONS]),
        }
      : { color: BLUE };
    const timer = setTimeout(
      () => {
        shape = v.addIsosurface(data, { isoval: level, smoothness: SMOOTH, ...by });
        if (extent.current !== volume.width) v.zoomTo();
        extent.current = volume.width;
        v.render();
        setReady(true);
      },
      extent.current ? REDRAWN_MS : 0,
    );
    return () => {
      clearTimeout(timer);
      if (shape) v.removeShape(shape);
    };
  }, [made, volume, level, colour]);
  return ready;
}

function useMask(made: Made | null, mask: Volume | null) {
  useEffect(() => {
    if (!made || !mask) return;
    const { v, lib } = made;
    const shape = v.addIsosurface(new lib.VolumeData(mask.bytes, "ccp4"), {
      isoval: 0.5,
      color: "#e69f00",
      opacity: 0.35,
      smoothness: SMOOTH,
    });
    v.render();
    return () => {
      v.removeShape(shape);
      v.render();
    };
  }, [made, mask]);
}

function useAtoms(made: Made | null, atoms: Atoms | null) {
  useEffect(() => {
    if (!made || !atoms) return;
    const { v } = made;
    const model = v.addModel(atoms.text, atoms.format);
    model.setStyle({}, { cartoon: { color: "#d55e00" }, stick: { radius: 0.25 } });
    v.render();
    return () => {
      v.removeModel(model);
      v.render();
    };
  }, [made, atoms]);
}

export function Surface(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const { made, failed } = useViewer(box);
  const ready = useIsosurface(made, props);
  useMask(made, props.mask);
  useAtoms(made, props.atoms);
  const { locked, picture } = props;
  useEffect(() => (made && ready && locked ? join(made.v) : undefined), [made, ready, locked]);
  useEffect(() => {
    if (picture) picture.current = made ? () => made.v.pngURI() : null;
  }, [picture, made]);
  const press = (event: React.KeyboardEvent) => {
    const v = made?.v,
      turn = TURNS[event.key];
    if (!v) return;
    if (turn) v.rotate(...turn);
    else if (event.key === "+" || event.key === "=") v.zoom(1.2);
    else if (event.key === "-") v.zoom(1 / 1.2);
    else return;
    event.preventDefault();
    event.stopPropagation();
    v.render();
  };
  if (failed)
    return (
      <div className="surface note-box">
        This browser shows no 3D (WebGL is off); the sections below are the map.{" "}
        <small>{failed}</small>
      </div>
    );
  return (
    <div
      className="surface"
      ref={box}
      tabIndex={0}
      role="img"
      data-ready={ready}
      onKeyDown={press}
      aria-label="isosurface; drag or arrow keys turn, wheel or + and - zoom"
    />
  );
}
