// One map: isosurface with its threshold, sections along the three axes, a slider through the iterations.
import { useEffect, useState } from "react";
import { address } from "../../api/http";
import { useProject } from "../../context";
import { Loading, Problem } from "../../ui/parts";
import { baseName, number } from "../../ui/words";
import { Surface, type Facts } from "./surface";

// what goes across and up in a section along each axis: as the isosurface above stands
const AXES: [string, string][] = [
  ["z", "x →  y ↑"],
  ["y", "x →  z ↑"],
  ["x", "y →  z ↑"],
];

export function MapPanel({
  path,
  maps,
  choose,
  close,
}: {
  path: string;
  maps: string[];
  choose: (path: string) => void;
  close?: () => void;
}) {
  const { pid } = useProject();
  const [facts, setFacts] = useState<Facts | null>(null);
  const [error, setError] = useState("");
  const [level, setLevel] = useState<number | null>(null);
  const [position, setPosition] = useState(0.5);
  useEffect(() => {
    let wanted = true;
    setFacts(null);
    setError("");
    void read(address(`p/${pid}/maps/volume`, { path, side: 96 }))
      .then(found => {
        if (wanted) {
          setFacts(found);
          setLevel(null);
        }
      })
      .catch(reason => wanted && setError(String(reason.message)));
    return () => {
      wanted = false;
    };
  }, [path, pid]);
  const shown = level ?? (facts ? facts.mean + 3 * facts.deviation : 0);
  const series = maps
    .filter(each => /_it\d{3}_/.test(each) && withoutIteration(each) === withoutIteration(path))
    .sort();
  return (
    <section className="map-panel">
      <header>
        <select value={path} onChange={event => choose(event.target.value)} aria-label="map">
          {maps.map(each => (
            <option key={each}>{each}</option>
          ))}
          {!maps.includes(path) && <option>{path}</option>}
        </select>
        {close && (
          <button className="plain" onClick={close} aria-label="close">
            ✕
          </button>
        )}
      </header>
      {error ? (
        <Problem text={error} />
      ) : !facts ? (
        <Loading what={baseName(path)} />
      ) : (
        <Surface facts={facts} level={shown} />
      )}
      {facts && (
        <label className="slider">
          threshold {number(shown)}{" "}
          <small>({number((shown - facts.mean) / (facts.deviation || 1))} σ)</small>
          <input
            type="range"
            min={facts.mean}
            max={facts.maximum}
            step="any"
            value={shown}
            onChange={event => setLevel(Number(event.target.value))}
          />
        </label>
      )}
      {series.length > 1 && (
        <label className="slider">
          iteration {/_it(\d{3})_/.exec(path)?.[1]}
          <input
            type="range"
            min={0}
            max={series.length - 1}
            value={series.indexOf(path)}
            onChange={event => choose(series[Number(event.target.value)])}
          />
        </label>
      )}
      {facts && (
        <>
          <div className="sections">
            {AXES.map(([axis, directions]) => (
              <figure key={axis}>
                <img
                  alt={`section along ${axis}`}
                  src={address(`p/${pid}/maps/slice`, {
                    path,
                    axis,
                    position: position.toFixed(2),
                  })}
                />
                <figcaption>
                  <b>{axis}</b> {directions}
                </figcaption>
              </figure>
            ))}
          </div>
          <label className="slider">
            section{" "}
            <input
              type="range"
              min={0}
              max={0.99}
              step={0.01}
              value={position}
              onChange={event => setPosition(Number(event.target.value))}
            />
          </label>
        </>
      )}
    </section>
  );
}

const withoutIteration = (path: string) => path.replace(/_it\d{3}_/, "_itNNN_");

async function read(url: string): Promise<Facts> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error((await answer.json()).error);
  const head = (name: string) => Number(answer.headers.get(name));
  return {
    mean: head("x-mean"),
    deviation: head("x-deviation"),
    maximum: head("x-maximum"),
    voxel: head("x-voxel"),
    bytes: await answer.arrayBuffer(),
  };
}
