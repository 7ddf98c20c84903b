// The one line on top: is the session healthy, and will it reach the goal?
import { useState } from "react";
import { put } from "../../api";
import { useProject } from "../../context";
import { attempt, link } from "../../hooks";
import { count, duration, number } from "../../words";
import type { Health, LiveSession, Overview } from "./data";

interface Tile {
  title: string;
  value: string;
  href?: string;
  hint?: string;
  warn?: boolean;
}

function verdict(
  o: Overview,
  live: LiveSession | null,
  h: Health | null,
): { word: string; sign: string; state: string; why: string } {
  const s = live?.status,
    phase = live?.state?.phase ?? s?.phase ?? "";
  if (phase === "failed" || (!s && (o.jobs.Failed ?? 0) > 0))
    return {
      word: "Look here",
      sign: "✕",
      state: "bad",
      why: live?.state?.message || `${o.jobs.Failed ?? 0} jobs failed`,
    };
  if (s?.problems.length)
    return { word: "Look here", sign: "✕", state: "bad", why: s.problems[s.problems.length - 1] };
  if (phase === "paused")
    return { word: "Paused", sign: "‖", state: "warn", why: "resume it to go on" };
  if (s && s.lag_s > 600)
    return {
      word: "Behind",
      sign: "!",
      state: "warn",
      why: "movies come faster than they are done",
    };
  if (s && s.found > 20 && s.accepted < s.found / 2)
    return {
      word: "Few kept",
      sign: "!",
      state: "warn",
      why: "less than half of the movies are accepted",
    };
  if (h?.disc_hours !== undefined && h.disc_hours < 12)
    return { word: "Disc fills", sign: "!", state: "warn", why: `${h.disc_hours} h left` };
  const busy = s ? phase === "running" || phase === "finishing" : (o.jobs.Running ?? 0) > 0;
  return busy
    ? { word: "Healthy", sign: "✓", state: "good", why: "" }
    : { word: phase === "finished" ? "Finished" : "Quiet", sign: "·", state: "", why: "" };
}

function tilesOf(pid: string, o: Overview, live: LiveSession | null, h: Health | null): Tile[] {
  const s = live?.status,
    tiles: Tile[] = [],
    classes = o.model ? link(pid, "classes", { model: h?.model ?? o.model }) : undefined;
  const running = s?.phase === "running" || s?.phase === "finishing";
  if (s) {
    if (running)
      tiles.push(
        { title: "in", value: `${number(s.in_per_hour)}/h` },
        { title: "done", value: `${number(s.done_per_hour)}/h` },
        { title: "lag", value: duration(s.lag_s), warn: s.lag_s > 600 },
      );
    const judged = s.accepted + s.set_aside + s.failed;
    if (judged)
      tiles.push({
        title: "kept",
        value: `${Math.round((100 * s.accepted) / judged)} %`,
        href: "#asides",
        hint: `${count(s.accepted)} accepted, ${count(s.set_aside)} set aside, ${count(s.failed)} failed`,
      });
  } else {
    if (o.micrographs !== undefined)
      tiles.push({
        title: "micrographs",
        value: count(o.micrographs),
        href: link(pid, "micrographs"),
      });
    if (o.rate_per_h !== undefined)
      tiles.push({ title: "done", value: `${count(Math.round(o.rate_per_h))}/h` });
    if (o.last_age_s !== undefined)
      tiles.push({ title: "newest", value: `${duration(o.last_age_s)} ago` });
  }
  if (o.median_fit_resolution_angst !== undefined)
    tiles.push({
      title: "CTF fit",
      value: `${number(o.median_fit_resolution_angst)} Å`,
      hint: "median",
    });
  if (s?.particles) tiles.push({ title: "particles", value: count(s.particles) });
  else if (!s && o.picks !== undefined) tiles.push({ title: "picks", value: count(o.picks) });
  if (h?.good_particles !== undefined)
    tiles.push({
      title: `in ${h.chosen_classes} chosen classes`,
      value: count(h.good_particles),
      href: classes,
      hint: `${Math.round(100 * (h.good_share ?? 0))} % of the classified`,
    });
  else if (o.classified_particles)
    tiles.push({
      title: "in classes",
      value: count(o.classified_particles),
      href: classes,
      hint: "choose the good ones on the Classes page: then the goal counts them",
    });
  const best = h?.best_chosen_angst ?? o.best_class_angst;
  if (best) tiles.push({ title: "best class", value: `${number(best)} Å`, href: classes });
  if (h?.good_per_hour)
    tiles.push({
      title: h.good_particles !== undefined ? "good particles" : "accepted particles",
      value: `${count(h.good_per_hour)}/h`,
    });
  return tiles;
}

export function HealthLine({
  o,
  live,
  health,
  children,
}: {
  o: Overview;
  live: LiveSession | null;
  health: Health | null;
  children?: React.ReactNode;
}) {
  const { pid } = useProject();
  const v = verdict(o, live, health);
  return (
    <section className={`health ${v.state}`} aria-label="health of the session">
      <b className="verdict">
        <i>{v.sign}</i> {v.word}
        {v.why && <small>{v.why}</small>}
      </b>
      {tilesOf(pid, o, live, health).map(each => (
        <span key={each.title} className={`tile${each.warn ? " warn" : ""}`} title={each.hint}>
          <small>{each.title}</small>
          {each.href?.startsWith("#asides") ? (
            <a
              href={each.href}
              onClick={event => {
                event.preventDefault();
                document.getElementById("asides")?.scrollIntoView({ behavior: "smooth" });
              }}
            >
              {each.value}
            </a>
          ) : each.href ? (
            <a href={each.href}>{each.value}</a>
          ) : (
            <b>{each.value}</b>
          )}
        </span>
      ))}
      {live && <GoalTile name={live.name} health={health} />}
      <span
        className="tile"
        title={
          health?.gb_per_movie
            ? `${health.gb_per_movie} GB a movie; ${count(Math.round(o.disc_free_gb))} GB free`
            : undefined
        }
      >
        <small>disc</small>
        <b className={health?.disc_hours !== undefined && health.disc_hours < 12 ? "warn" : ""}>
          {health?.disc_hours !== undefined
            ? `${number(health.disc_hours)} h left`
            : `${count(Math.round(o.disc_free_gb))} GB free`}
        </b>
      </span>
      <span className="grow" />
      {children}
    </section>
  );
}

/** N good particles and the hours to them; a click changes N. */
function GoalTile({ name, health }: { name: string; health: Health | null }) {
  const { pid, mayChange } = useProject();
  const [editing, setEditing] = useState(false);
  const [shown, setShown] = useState<number | null>(null);
  const goal = shown ?? health?.goal ?? null;
  const save = (text: string) => {
    setEditing(false);
    const wanted = Number(text.replace(/[ ,_]/g, "").replace(/k$/i, "e3").replace(/m$/i, "e6"));
    if (!isFinite(wanted) || wanted < 0) return;
    void attempt(put(`p/${pid}/live/${name}/goal`, { particles: Math.round(wanted) })).then(
      done => {
        if (done) setShown(Math.round(wanted));
      },
    );
  };
  const hours = health?.goal_hours;
  const text = !goal
    ? mayChange
      ? "set a goal"
      : "–"
    : health?.goal_missing === 0
      ? "reached"
      : hours !== undefined
        ? hours < 48
          ? duration(hours * 3600)
          : `${Math.round(hours / 24)} days`
        : count(goal);
  return (
    <span className="tile">
      <small>{goal ? `to ${count(goal)} good particles` : "goal"}</small>
      {editing ? (
        <input
          className="goal"
          defaultValue={goal ?? ""}
          placeholder="200k"
          autoFocus
          aria-label="good particles wanted"
          onBlur={event => save(event.target.value)}
          onKeyDown={event => {
            if (event.key === "Enter") save(event.currentTarget.value);
            if (event.key === "Escape") setEditing(false);
          }}
        />
      ) : mayChange ? (
        <button
          className="plain goal-button"
          onClick={() => setEditing(true)}
          title="how many good particles do you want?"
        >
          {text}
        </button>
      ) : (
        <b>{text}</b>
      )}
    </span>
  );
}
