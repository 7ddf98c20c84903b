// Maps: isosurface and sections of two maps side by side, FSC curves, orientations on the sphere.
import { useEffect, useMemo, useRef, useState } from "react";
import { address } from "../api";
import { useProject } from "../context";
import { go, link, useData, useRoute } from "../hooks";
import { Empty, Loading, Problem } from "../parts";
import { LinePlot } from "../plots";
import type { Curve } from "../types";
import { baseName, number } from "../words";

export function MapsPage() {
  const { pid, watch } = useProject();
  const { query } = useRoute();
  const known = useData<{ maps: string[] }>(`p/${pid}/maps`, {}, watch.version);
  const classes = useData<{ models: string[] }>(`p/${pid}/classes`, {}, watch.version);
  const a = query.get("a") || known.data?.maps[0] || "";
  const b = query.get("b") ?? "";
  const model = query.get("model") ?? classes.data?.models[0] ?? "";
  const show = (next: Record<string, string>) => go(link(pid, "maps", { a, b, model, ...next }), true);
  if (known.error) return <Problem text={known.error} retry={known.reload} />;
  if (!known.data) return <Loading what="maps" />;
  return (
    <div className="maps">
      <div className="map-pair">
        {a ? <MapPanel path={a} maps={known.data.maps} choose={(path) => show({ a: path })} /> : <Empty title="No maps yet.">Refinements, classifications in 3D and masks show their maps here. Any MRC map of the project can be opened: <OpenAny open={(path) => show({ a: path })} /></Empty>}
        {a && (b ? <MapPanel path={b} maps={known.data.maps} choose={(path) => show({ b: path })} close={() => show({ b: "" })} /> : <button className="second" onClick={() => show({ b: a })}>second map beside it</button>)}
      </div>
      <div className="map-curves">
        <section><h3>Curves of <select value={model} onChange={(event) => show({ model: event.target.value })} aria-label="model">{(classes.data?.models ?? []).map((each) => <option key={each}>{each}</option>)}{model && !classes.data?.models.includes(model) && <option>{model}</option>}</select></h3>
          {model ? <Curves pid={pid} path={model} /> : <p className="hint">A model or postprocess file shows its FSC here.</p>}</section>
        <section><h3>Orientations</h3>{model ? <Orientations pid={pid} path={model.replace(/_(half\d_)?model\.star$/, "_data.star")} /> : <p className="hint">none</p>}</section>
      </div>
    </div>
  );
}

function OpenAny({ open }: { open: (path: string) => void }) {
  const [path, setPath] = useState("");
  return <form className="row-tools" onSubmit={(event) => { event.preventDefault(); if (path) open(path); }}><input placeholder="path/of/map.mrc" value={path} onChange={(event) => setPath(event.target.value)} /><button>Open</button></form>;
}

interface Facts { mean: number; deviation: number; maximum: number; voxel: number; bytes: ArrayBuffer }

function MapPanel({ path, maps, choose, close }: { path: string; maps: string[]; choose: (path: string) => void; close?: () => void }) {
  const { pid } = useProject();
  const [facts, setFacts] = useState<Facts | null>(null);
  const [error, setError] = useState("");
  const [level, setLevel] = useState<number | null>(null);
  const [position, setPosition] = useState(0.5);
  useEffect(() => {
    let wanted = true;
    setFacts(null); setError("");
    void fetch(address(`p/${pid}/maps/volume`, { path, side: 96 })).then(async (answer) => {
      if (!answer.ok) throw new Error((await answer.json()).error);
      const head = (name: string) => Number(answer.headers.get(name));
      const found = { mean: head("x-mean"), deviation: head("x-deviation"), maximum: head("x-maximum"), voxel: head("x-voxel"), bytes: await answer.arrayBuffer() };
      if (wanted) { setFacts(found); setLevel(null); }
    }).catch((reason) => wanted && setError(String(reason.message)));
    return () => { wanted = false; };
  }, [path, pid]);
  const shown = level ?? (facts ? facts.mean + 3 * facts.deviation : 0);
  const series = maps.filter((each) => /_it\d{3}_/.test(each) && each.replace(/_it\d{3}_/, "_itNNN_") === path.replace(/_it\d{3}_/, "_itNNN_"));
  return (
    <section className="map-panel">
      <header><select value={path} onChange={(event) => choose(event.target.value)} aria-label="map">{maps.map((each) => <option key={each}>{each}</option>)}{!maps.includes(path) && <option>{path}</option>}</select>{close && <button className="plain" onClick={close} aria-label="close">✕</button>}</header>
      {error ? <Problem text={error} /> : !facts ? <Loading what={baseName(path)} /> : <Surface facts={facts} level={shown} />}
      {facts && <label className="slider">threshold {number(shown)} <small>({number((shown - facts.mean) / (facts.deviation || 1))} σ)</small>
        <input type="range" min={facts.mean} max={facts.maximum} step="any" value={shown} onChange={(event) => setLevel(Number(event.target.value))} /></label>}
      {series.length > 1 && <label className="slider">iteration <input type="range" min={0} max={series.length - 1} value={series.indexOf(path)} onChange={(event) => choose(series[Number(event.target.value)])} /></label>}
      {facts && <><div className="sections">{["z", "y", "x"].map((axis) => <figure key={axis}><img alt={`section along ${axis}`} src={address(`p/${pid}/maps/slice`, { path, axis, position: position.toFixed(2) })} /><figcaption>{axis}</figcaption></figure>)}</div>
        <label className="slider">section <input type="range" min={0} max={0.99} step={0.01} value={position} onChange={(event) => setPosition(Number(event.target.value))} /></label></>}
    </section>
  );
}

/* 3Dmol reads x, y, z as the header says and looks down z with x to the right and y up: right-handed. */
function Surface({ facts, level }: { facts: Facts; level: number }) {
  const box = useRef<HTMLDivElement>(null);
  const viewer = useRef<{ v: any; data: any; shape: any } | null>(null); // eslint-disable-line
  const [failed, setFailed] = useState("");
  const first = useRef(level);
  first.current = level;
  useEffect(() => {
    let wanted = true;
    void import("3dmol").then((lib: any) => { // eslint-disable-line
      if (!wanted || !box.current) return;
      try {
        const v = lib.createViewer(box.current, { backgroundColor: "#ffffff", antialias: true });
        const data = new lib.VolumeData(facts.bytes, "ccp4");
        const shape = v.addIsosurface(data, { isoval: first.current, color: "#8fb8d6", smoothness: 3 });
        v.zoomTo(); v.render();
        viewer.current = { v, data, shape };
      } catch (reason) { setFailed(String(reason)); }
    }).catch((reason) => setFailed(String(reason)));
    const seen = new ResizeObserver(() => viewer.current?.v.resize());
    if (box.current) seen.observe(box.current);
    return () => { wanted = false; seen.disconnect(); viewer.current?.v.clear?.(); viewer.current = null; if (box.current) box.current.innerHTML = ""; };
  }, [facts]);
  useEffect(() => {
    const timer = setTimeout(() => {
      const now = viewer.current;
      if (!now) return;
      now.v.removeShape(now.shape);
      now.shape = now.v.addIsosurface(now.data, { isoval: level, color: "#8fb8d6", smoothness: 3 });
      now.v.render();
    }, 80);
    return () => clearTimeout(timer);
  }, [level]);
  if (failed) return <div className="surface note-box">This browser shows no 3D (WebGL is off); the sections below are the map. <small>{failed}</small></div>;
  return <div className="surface" ref={box} aria-label="isosurface; drag turns, wheel zooms" />;
}

function Curves({ pid, path }: { pid: string; path: string }) {
  const curves = useData<Curve[]>(`p/${pid}/maps/curves`, { path });
  const shown = useMemo(() => {
    const fsc = curves.data?.filter((each) => each.name.includes("FSC") && each.y.some((v) => v !== null && v !== 0)) ?? [];
    return (fsc.length ? fsc : curves.data?.filter((each) => !each.name.includes("FSC")) ?? []).slice(0, 6);
  }, [curves.data]);
  if (curves.error) return <Problem text={curves.error} />;
  if (!curves.data) return <Loading />;
  if (!shown.length) return <p className="hint">This file holds no curves.</p>;
  const isFsc = shown[0].name.includes("FSC");
  return <LinePlot height={220} x={shown[0].x} series={shown.map((each) => ({ name: each.name.replace("model_", ""), y: isFsc ? each.y : each.y.map((v) => (v === null ? null : Math.log10(1 + v))) }))} xTitle={isFsc ? "1/Å" : "1/Å (log10(1 + SSNR))"} yRange={isFsc ? [-0.1, 1.05] : undefined} />;
}

/** Equal-area picture of the sphere: columns rot, rows cos tilt. */
function Orientations({ pid, path }: { pid: string; path: string }) {
  const found = useData<{ counts: number[][]; particles: number }>(`p/${pid}/maps/angles`, { path });
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const el = canvas.current, counts = found.data?.counts;
    if (!el || !counts) return;
    el.width = counts[0].length; el.height = counts.length;
    const c = el.getContext("2d")!, image = c.createImageData(el.width, el.height), most = Math.max(1, ...counts.flat());
    counts.flat().forEach((n, i) => { const t = Math.sqrt(n / most); image.data.set([Math.round(253 - 200 * t), Math.round(246 - 180 * t), Math.round(220 - 60 * t), 255], i * 4); });
    c.putImageData(image, 0, 0);
  }, [found.data]);
  if (found.error) return <p className="hint">{found.error}</p>;
  if (!found.data) return <Loading />;
  return <figure className="angles"><canvas ref={canvas} /><figcaption>{found.data.particles.toLocaleString()} particles; across: rot −180° to 180°, down: tilt 0° to 180° (equal areas)</figcaption></figure>;
}
