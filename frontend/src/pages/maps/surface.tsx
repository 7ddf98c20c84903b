/* eslint-disable @typescript-eslint/no-explicit-any -- the types of 3Dmol do not fit what it does */
// The isosurface of a map by 3Dmol: x to the right, y up, z towards the viewer, so that hands are right
// (tests/web/test_hand.py looks at a chiral phantom). Drag turns, wheel zooms, so do the arrow keys, + and -.
import { useEffect, useRef, useState } from "react";

export interface Facts {
  mean: number;
  deviation: number;
  maximum: number;
  voxel: number;
  bytes: ArrayBuffer;
}

const LOOK = { color: "#8fb8d6", smoothness: 3 };
const TURN_DEG = 10;
const TURNS: Record<string, [number, string]> = {
  ArrowLeft: [-TURN_DEG, "y"],
  ArrowRight: [TURN_DEG, "y"],
  ArrowUp: [-TURN_DEG, "x"],
  ArrowDown: [TURN_DEG, "x"],
};

export function Surface({ facts, level }: { facts: Facts; level: number }) {
  const box = useRef<HTMLDivElement>(null);
  const viewer = useRef<{ v: any; data: any; shape: any } | null>(null);
  const [failed, setFailed] = useState("");
  const [ready, setReady] = useState(false);
  const first = useRef(level);
  first.current = level;
  useEffect(() => {
    let wanted = true;
    const el = box.current;
    void import("3dmol")
      .then((lib: any) => {
        if (!wanted || !box.current) return;
        try {
          const v = lib.createViewer(box.current, { backgroundColor: "#ffffff", antialias: true });
          const data = new lib.VolumeData(facts.bytes, "ccp4");
          const shape = v.addIsosurface(data, { isoval: first.current, ...LOOK });
          v.zoomTo();
          v.render();
          viewer.current = { v, data, shape };
          setReady(true);
        } catch (reason) {
          setFailed(String(reason));
        }
      })
      .catch(reason => setFailed(String(reason)));
    const seen = new ResizeObserver(() => viewer.current?.v.resize());
    if (el) seen.observe(el);
    return () => {
      wanted = false;
      setReady(false);
      seen.disconnect();
      viewer.current?.v.clear?.();
      viewer.current = null;
      if (el) el.innerHTML = "";
    };
  }, [facts]);
  useEffect(() => {
    const timer = setTimeout(() => {
      const now = viewer.current;
      if (!now) return;
      now.v.removeShape(now.shape);
      now.shape = now.v.addIsosurface(now.data, { isoval: level, ...LOOK });
      now.v.render();
    }, 80);
    return () => clearTimeout(timer);
  }, [level]);
  const press = (event: React.KeyboardEvent) => {
    const v = viewer.current?.v,
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
