// "Since you last looked": movies by the hour and what became of them, pauses, what people changed, what went wrong.
import { useMemo, useState } from "react";
import type { EventLine } from "../../../api/types";
import { useProject } from "../../../context";
import { link } from "../../../hooks";
import { useColours } from "../../../shell/theme";
import { count } from "../../../ui/words";
import type { Sheet } from "../data";
import { AWAY_S, useLastLook } from "./lastlook";
import { FATE_WORDS, fateColours, Line } from "./line";
import { FATES, isBad, marksOf, pausesOf, seconds, SIGNS, summary } from "./told";

const LOGGED = 200; // lines shown of the log
const A_DATE = 1e6; // seconds: less is no calendar time but a number in a list

interface Props {
  sheet: Sheet | null;
  events: EventLine[];
  brush: [number, number] | null;
  onBrush: (range: [number, number] | null) => void;
}

function useSpan(sheet: Sheet | null, marks: { t: number }[]): [number, number] | null {
  return useMemo(() => {
    let low = Infinity,
      high = -Infinity;
    const take = (t: number | null) => {
      if (t === null || t <= A_DATE) return;
      low = Math.min(low, t);
      high = Math.max(high, t);
    };
    sheet?.times.forEach(take);
    marks.forEach(each => take(each.t));
    return low <= high ? [low, high] : null;
  }, [sheet, marks]);
}

export function Night({ sheet, events, brush, onBrush }: Props) {
  const { pid } = useProject();
  const looked = useLastLook(pid);
  const [whole, setWhole] = useState(false);
  const marks = useMemo(() => marksOf(events), [events]);
  const span = useSpan(sheet, marks);
  const [first, last] = span ?? [0, 0];
  const pauses = useMemo(() => pausesOf(events, last), [events, last]);
  const away = looked > first && last - looked > AWAY_S ? looked : 0;
  return (
    <section className="night" aria-label="since you last looked">
      <header>
        <h2>{away ? "Since you last looked" : "The session in time"}</h2>
        <span className="hint" data-testid="since">
          {span
            ? summary(sheet, events, pauses, away || first, last, Boolean(away))
            : "Nothing has happened yet."}
        </span>
        <span className="grow" />
        {brush && (
          <button className="plain" onClick={() => onBrush(null)}>
            all times ✕
          </button>
        )}
        <button className="plain" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? "hide the log" : `log (${count(events.length)})`}
        </button>
      </header>
      {span && last > first && (
        <>
          <Line
            sheet={sheet}
            marks={marks}
            pauses={pauses}
            span={span}
            looked={away}
            brush={brush}
            onBrush={onBrush}
          />
          <Legend looked={away > 0} />
        </>
      )}
      {whole && <EventLog events={events} brush={brush} away={away} />}
    </section>
  );
}

function Legend({ looked }: { looked: boolean }) {
  const palette = useColours();
  const colours = fateColours(palette);
  return (
    <p className="legend">
      {FATES.map(fate => (
        <span key={fate}>
          <i style={{ background: colours[fate] }} /> {FATE_WORDS[fate]}{" "}
        </span>
      ))}
      <i className="rule" /> done per hour <b className="bad">{SIGNS.bad}</b> problem{" "}
      <b style={{ color: palette["chart-4"] }}>{SIGNS.person}</b> a person <b>{SIGNS.event}</b>{" "}
      event
      {looked && (
        <>
          {" "}
          <i className="looked" /> since you last looked
        </>
      )}
    </p>
  );
}

function EventLog({
  events,
  brush,
  away,
}: {
  events: EventLine[];
  brush: [number, number] | null;
  away: number;
}) {
  const { pid } = useProject();
  const inside = (t: number) => !brush || (t >= brush[0] && t <= brush[1]);
  const shown = [...events].reverse().filter(each => inside(seconds(each)));
  return (
    <ol>
      {shown.slice(0, LOGGED).map((each, i) => {
        const job = typeof each.job === "string" ? each.job : "";
        return (
          <li
            key={i}
            className={`${away && seconds(each) > away ? "fresh" : ""} ${isBad(each) ? "bad" : ""}`}
          >
            <time>{each.time.replace("T", " ").slice(5, 19)}</time>
            <b>{each.person || each.kind}</b>
            <span>
              {job && <a href={link(pid, "project", { job })}>{job.replace(/\/$/, "")}</a>}{" "}
              {each.text}
            </span>
          </li>
        );
      })}
    </ol>
  );
}
