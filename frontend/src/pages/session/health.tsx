// The one line on top: is the session healthy (the server judges), and will it reach the goal?
import type { FigureKind } from "../../api/types";
import { useProject } from "../../context";
import { link, useData } from "../../hooks";
import { count, duration, number, rate } from "../../ui/words";
import type { Health, LiveSession, Overview } from "./data";
import { GoalTile } from "./goal";

interface Tile {
  title: string;
  value: string;
  href?: string;
  hint?: string;
  warn?: boolean;
}
const SIGNS: Record<string, string> = { good: "✓", warn: "!", bad: "✕", "": "·" };
const LAG_WARN_S = 600;

/** What the server says of a live session; of a project without one, whether its jobs run. */
function verdict(o: Overview, live: LiveSession | null, health: Health | null) {
  if (live) return health?.verdict ?? { state: "", word: "…", why: "" };
  const failed = o.jobs.Failed ?? 0;
  if (failed)
    return { state: "bad", word: "Look here", why: `${failed} job${failed > 1 ? "s" : ""} failed` };
  return (o.jobs.Running ?? 0) > 0
    ? { state: "good", word: "Running", why: "" }
    : { state: "", word: "Quiet", why: "" };
}

function ratesOfLive(s: NonNullable<LiveSession["status"]>): Tile[] {
  if (s.phase !== "running" && s.phase !== "finishing") return [];
  const over = `counted for ${duration(s.rate_over_s)}`;
  return [
    { title: "in per hour", value: rate(s.in_per_hour, s.in_range), hint: over },
    { title: "done per hour", value: rate(s.done_per_hour, s.done_range), hint: over },
    { title: "lag", value: duration(s.lag_s), warn: s.lag_s > LAG_WARN_S },
  ];
}

function tilesOfLive(s: NonNullable<LiveSession["status"]>): Tile[] {
  const tiles = ratesOfLive(s);
  if (s.judged)
    tiles.push({
      title: "kept",
      value: `${Math.round((100 * s.accepted) / s.judged)} %`,
      href: "#asides",
      hint: `${count(s.accepted)} accepted, ${count(s.set_aside)} set aside, ${count(s.failed)} failed`,
    });
  if (s.particles) tiles.push({ title: "particles", value: count(s.particles) });
  return tiles;
}

function tilesOfList(pid: string, o: Overview): Tile[] {
  const tiles: Tile[] = [];
  if (o.micrographs != null)
    tiles.push({
      title: "micrographs",
      value: count(o.micrographs),
      href: link(pid, "micrographs"),
    });
  if (o.rate_per_h != null)
    tiles.push({
      title: "done per hour",
      value: rate(o.rate_per_h, o.rate_range_per_h),
      hint: o.rate_over_s ? `counted for ${duration(o.rate_over_s)}` : undefined,
    });
  if (o.last_age_s != null) tiles.push({ title: "newest", value: `${duration(o.last_age_s)} ago` });
  if (o.picks != null) tiles.push({ title: "picks", value: count(o.picks) });
  return tiles;
}

function tilesOfClasses(pid: string, o: Overview, h: Health | null): Tile[] {
  const classes = o.model ? link(pid, "classes", { model: h?.model ?? o.model }) : undefined;
  const tiles: Tile[] = [];
  if (h?.good_particles != null)
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
      title: h.good_particles != null ? "good particles" : "accepted particles",
      value: `${count(h.good_per_hour)}/h`,
    });
  return tiles;
}

function Shown({ tile }: { tile: Tile }) {
  const jump = (event: React.MouseEvent) => {
    if (!tile.href!.startsWith("#asides")) return;
    event.preventDefault();
    document.getElementById("asides")?.scrollIntoView({ behavior: "smooth" });
  };
  return (
    <span className={`tile${tile.warn ? " warn" : ""}`} title={tile.hint}>
      <small>{tile.title}</small>
      {tile.href ? (
        <a href={tile.href} onClick={jump}>
          {tile.value}
        </a>
      ) : (
        <b>{tile.value}</b>
      )}
    </span>
  );
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
  const kinds = useData<FigureKind[]>(`p/${pid}/figures`);
  const v = verdict(o, live, health);
  const fit = kinds.data?.find(each => each.key === "ctf_resolution_angst");
  const tiles = live?.status ? tilesOfLive(live.status) : tilesOfList(pid, o);
  if (o.median_ctf_resolution_angst != null)
    tiles.push({
      title: fit?.title ?? "CTF fit",
      value: `${number(o.median_ctf_resolution_angst)} Å`,
      hint: `median. ${fit?.definition ?? ""}`,
    });
  const all = [...tiles, ...tilesOfClasses(pid, o, health)];
  const hours = health?.disc_hours;
  return (
    <section className={`health ${v.state}`} aria-label="health of the session">
      <b className="verdict">
        <i>{SIGNS[v.state] ?? "·"}</i> {v.word}
        {v.why && <small>{v.why}</small>}
      </b>
      {all.map(each => (
        <Shown key={each.title} tile={each} />
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
        <b>
          {hours != null
            ? `${number(hours)} h left`
            : `${count(Math.round(o.disc_free_gb))} GB free`}
        </b>
      </span>
      <span className="grow" />
      {children}
    </section>
  );
}
