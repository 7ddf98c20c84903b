// The newest micrographs (of what is selected) with their picks, and the one chosen in a plot beside its figures.
import { useMemo } from "react";
import { useProject } from "../../context";
import { unitOf } from "../../figures";
import { link, useData } from "../../hooks";
import { baseName, count, number } from "../../ui/words";
import { asideBy, type Sheet, type Shown } from "./data";
import { thresholdOf } from "./trying/use";
import type { Verdicts } from "./verdicts";
import { MicrographThumb, thumbnail } from "./trying/thumb";

interface Props {
  sheet: Sheet;
  session: string;
  keep: Uint8Array;
  chosen?: number;
  choose: (i: number | undefined) => void;
  diameter: number;
  adjust: number;
  selected: string;
  judge?: Verdicts;
  trial?: (i: number) => void;
  tune?: () => void;
}

export function viewerLink(pid: string, sheet: Sheet, i: number): string {
  return link(pid, "micrographs", { list: sheet.list, name: sheet.names[i] });
}

export function Gallery(props: Props) {
  const { sheet, keep, chosen, choose, selected } = props;
  const shown = useMemo(() => {
    const found: number[] = [];
    for (let i = sheet.names.length - 1; i >= 0 && found.length < 6; i--)
      if (sheet.names[i].endsWith(".mrc") && keep[i]) found.push(i);
    return found;
  }, [sheet, keep]);
  const one = chosen !== undefined && chosen < sheet.names.length ? chosen : undefined;
  return (
    <section className="live-panel gallery-panel" aria-label="micrographs">
      <header>
        <h2>
          {one === undefined ? (
            `Newest micrographs${selected ? ` of ${selected}` : ""}`
          ) : (
            <>
              Movie {sheet.numbers[one]}{" "}
              <small title={sheet.names[one]}>{baseName(sheet.names[one])}</small>
            </>
          )}
        </h2>
        <span className="grow" />
        {one !== undefined && (
          <button className="plain" onClick={() => choose(undefined)} title="Escape">
            newest ✕
          </button>
        )}
        {one === undefined && props.tune && (
          <button onClick={props.tune} disabled={!shown.length} title="P">
            Tune picking
          </button>
        )}
      </header>
      {one === undefined ? (
        shown.length ? (
          <Thumbs {...props} shown={shown} />
        ) : (
          <p className="hint">
            {selected
              ? "None with a picture in this selection."
              : "The first micrograph appears here as soon as it is aligned."}
          </p>
        )
      ) : (
        <Chosen {...props} i={one} />
      )}
    </section>
  );
}

function useShown(session: string, numbers: number[]) {
  const { pid } = useProject();
  const found = useData<Shown[]>(
    session && numbers.length ? `p/${pid}/live/${session}/shown` : null,
    { numbers },
  );
  return useMemo(() => new Map((found.data ?? []).map(each => [each.number, each])), [found.data]);
}

function Thumbs({ sheet, session, shown, choose, diameter, adjust }: Props & { shown: number[] }) {
  const { pid } = useProject();
  const drawn = useShown(
    session,
    shown.map(i => sheet.numbers[i]),
  );
  return (
    <div className="thumb-grid" data-testid="newest">
      {shown.map(i => (
        <button
          key={sheet.numbers[i]}
          className={`thumb ${sheet.kind[i]}`}
          onClick={() => choose(i)}
          title={`${sheet.names[i]}${sheet.why[i] ? `\n${sheet.why[i]}` : ""}`}
        >
          <MicrographThumb
            alt={baseName(sheet.names[i])}
            src={thumbnail(pid, sheet.names[i], 256, sheet.times[i] ?? 0)}
            drawn={drawn.get(sheet.numbers[i]) ?? null}
            diameterAngst={diameter}
            threshold={thresholdOf(drawn.get(sheet.numbers[i]) ?? null, adjust)}
          />
          <small>
            {sheet.numbers[i]}
            {sheet.columns.ctf_resolution_angst?.[i] != null &&
              ` · ${number(sheet.columns.ctf_resolution_angst[i])} Å`}
            {sheet.columns.picks?.[i] != null && ` · ${count(sheet.columns.picks[i]!)} picks`}
            {sheet.kind[i] && <i> ✕</i>}
          </small>
        </button>
      ))}
    </div>
  );
}

function Chosen({ sheet, session, i, diameter, adjust, judge, trial }: Props & { i: number }) {
  const { pid } = useProject();
  const drawn = useShown(session, [sheet.numbers[i]]);
  const made = sheet.names[i].endsWith(".mrc");
  const rejected = sheet.kind[i];
  return (
    <div className="chosen-one">
      {made ? (
        <a href={viewerLink(pid, sheet, i)} title="open in the viewer (Enter)">
          <MicrographThumb
            wide
            alt={baseName(sheet.names[i])}
            src={thumbnail(pid, sheet.names[i], 512, sheet.times[i] ?? 0)}
            drawn={drawn.get(sheet.numbers[i]) ?? null}
            diameterAngst={diameter}
            threshold={thresholdOf(drawn.get(sheet.numbers[i]) ?? null, adjust)}
          />
        </a>
      ) : (
        <p className="hint">not aligned yet</p>
      )}
      <div>
        {rejected ? (
          <p className="why-aside">
            <b>✕ set aside {asideBy(rejected)}:</b> {sheet.why[i]}
          </p>
        ) : sheet.byHand[i] === "accept" ? (
          <p className="hint">taken back by hand: no limit drops it</p>
        ) : null}
        <table className="figures-table">
          <tbody>
            {sheet.kinds
              .filter(({ key }) => sheet.columns[key][i] != null)
              .map(kind => (
                <tr key={kind.key} title={kind.definition}>
                  <th>{kind.title}</th>
                  <td>
                    {number(sheet.columns[kind.key][i])} {unitOf(kind)}
                  </td>
                </tr>
              ))}
          </tbody>
        </table>
        <div className="buttons">
          {made && (
            <a className="button" href={viewerLink(pid, sheet, i)}>
              Open <kbd>Enter</kbd>
            </a>
          )}
          {judge &&
            made &&
            rejected !== "failure" &&
            (rejected ? (
              <button onClick={() => judge.accept(i)}>
                Take back <kbd>R</kbd>
              </button>
            ) : (
              <button onClick={() => judge.reject(i)}>
                Set aside <kbd>R</kbd>
              </button>
            ))}
          {judge && rejected === "failure" && (
            <button onClick={() => judge.again(i)}>
              Try again <kbd>R</kbd>
            </button>
          )}
          {trial && made && (
            <button onClick={() => trial(i)}>
              Trial settings <kbd>T</kbd>
            </button>
          )}
        </div>
        <p className="hint">
          <kbd>←</kbd> <kbd>→</kbd> the one before and after
        </p>
      </div>
    </div>
  );
}
