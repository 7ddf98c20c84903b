// What the session waits for before its map can go on, with the buttons that say it; and what else may be asked.
import { useState } from "react";
import { post } from "../../../api/http";
import type { LiveMap } from "../../../api/types";
import { useProject } from "../../../context";
import { attempt } from "../../../hooks";
import { Ask } from "../../../ui/dialog";
import { Menu } from "../../../ui/menu";
import { number } from "../../../ui/words";

const MOST_NAMED = 3; // groups with a button of their own
type Wish = "confirm" | "accept" | "again" | "off" | "auto" | "on";

function useMapWish(session: string) {
  const { pid } = useProject();
  return (ask: Wish, said: string, symmetry = "") =>
    void attempt(post(`p/${pid}/live/map`, { session, ask, symmetry }), said);
}

export function Waits({ session, map }: { session: string; map: LiveMap }) {
  const { mayChange } = useProject();
  const wish = useMapWish(session);
  const { state } = map;
  if (map.waits_for_symmetry) return <Symmetry map={map} wish={wish} mayChange={mayChange} />;
  if (state.state === "doubtful")
    return (
      <div className="note-box map-waits" role="status">
        <b>The first map is doubtful: look at it.</b> {state.believable}.
        {mayChange && (
          <span className="row-tools">
            <button className="main" onClick={() => wish("accept", "the session goes on with it")}>
              Go on with it
            </button>
            <button onClick={() => wish("again", "another first map is made")}>Make another</button>
          </span>
        )}
      </div>
    );
  if (state.state === "waiting for classes")
    return (
      <div className="note-box map-waits" role="status">
        <b>The map waits for 2D classes.</b> {state.why}
        {mayChange && map.wish.mode !== "on" && (
          <span className="row-tools">
            <button onClick={() => wish("on", "a map is made whatever the classes look like")}>
              Do not wait
            </button>
          </span>
        )}
      </div>
    );
  if (state.state === "failed")
    return (
      <div className="note-box bad map-waits" role="alert">
        <b>The map failed.</b> {state.why}
      </div>
    );
  return null;
}

function Symmetry({
  map,
  wish,
  mayChange,
}: {
  map: LiveMap;
  wish: (ask: Wish, said: string, symmetry?: string) => void;
  mayChange: boolean;
}) {
  const [own, setOwn] = useState("");
  const say = (name: string) => wish("confirm", `${name}: the map goes on with it`, name);
  const proposed = map.state.proposed_symmetry,
    named = proposed.filter(([name]) => name !== "C1").slice(0, MOST_NAMED);
  return (
    <div className="note-box map-waits" role="status">
      <b>Which symmetry does it have?</b> The map looks like {proposed[0][0]}; until somebody says
      so it goes on in {map.state.symmetry}. <small>{proposed[0][2]}</small>
      {mayChange && (
        <span className="row-tools">
          {named.map(([name, score, why], n) => (
            <button key={name} className={n ? "" : "main"} title={why} onClick={() => say(name)}>
              It is {name} <small>{number(score, 2)}</small>
            </button>
          ))}
          <button onClick={() => say("C1")}>None (C1)</button>
          <input
            value={own}
            onChange={event => setOwn(event.target.value.trim())}
            onKeyDown={event => event.key === "Enter" && own && say(own)}
            placeholder="another: O"
            aria-label="another point group"
            size={10}
          />
        </span>
      )}
    </div>
  );
}

/** What may be asked of the map at any time. */
export function MapMenu({ session, map }: { session: string; map: LiveMap }) {
  const { mayChange } = useProject();
  const wish = useMapWish(session);
  const [asking, setAsking] = useState(false);
  if (!mayChange) return null;
  const off = map.state.state === "off";
  return (
    <>
      <Menu
        title="⋯"
        label="more of the map"
        entries={[
          { text: "Begin again from another first map", act: () => setAsking(true), off },
          off
            ? { text: "Make a map", act: () => wish("auto", "a map is made when classes allow it") }
            : { text: "No map", act: () => wish("off", "no map is made; what there is stays") },
        ]}
      />
      {asking && (
        <Ask
          title="Begin the map again"
          yes="Begin again"
          text="Another first map is made of the particles there are now; the refinement begins anew with it. What there is stays in the project."
          act={async () => wish("again", "another first map is made")}
          close={() => setAsking(false)}
        />
      )}
    </>
  );
}
