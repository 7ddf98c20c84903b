// The micrographs of a session: gallery, grid, rejections, limits and plots, all on one selection.
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { useProject } from "../../context";
import { go, useData, useKeys } from "../../hooks";
import { Boundary } from "../../ui/boundary";
import { Asides } from "./asides";
import { LinkedPlots } from "./limits/linked";
import type { Grid, LiveSession, Sheet } from "./data";
import { Gallery, viewerLink } from "./gallery";
import { useAdds } from "./grid/adds";
import { GridPanel } from "./grid/panel";
import { useLimitActs } from "./limits/acts";
import { droppedBy, type Limits } from "./limits/limits";
import { keptRows, useSelection } from "./limits/selection";
import type { StageSettings } from "./trying/settings";
import { useSteps } from "./steps";
import { Thresholds } from "./limits/thresholds";
import { TrialDialog } from "./trying/trial";
import { TuneDialog } from "./trying/tune";
import { useVerdicts } from "./verdicts";

const MovieTable = lazy(() => import("./movietable").then(m => ({ default: m.MovieTable })));

interface Props {
  sheet: Sheet;
  name: string;
  live: LiveSession | null;
  goodShare: number;
  brush: [number, number] | null;
  setBrush: (range: [number, number] | null) => void;
  reload: () => Promise<unknown>;
}

/** Where the movies were taken; asked again while some are still to be placed. */
function useGrid(sheet: Sheet, name: string) {
  const { pid } = useProject();
  const grid = useData<Grid>(
    sheet.live ? `p/${pid}/live/${name}/grid` : `p/${pid}/micrographs/grid`,
    sheet.live ? {} : { path: sheet.list },
  );
  const { reload } = grid,
    pending = grid.data?.pending ?? 0;
  useEffect(() => {
    if (!pending) return;
    const timer = setTimeout(reload, 500);
    return () => clearTimeout(timer);
  }, [pending, grid.data, reload]);
  return grid.data && grid.data.holes.length > 0 ? grid.data : null;
}

const isPicture = (sheet: Sheet, i: number) => sheet.names[i].endsWith(".mrc");

export function Figures({ sheet, name, live, goodShare, brush, setBrush, reload }: Props) {
  const { pid, mayChange } = useProject();
  const [limits, setLimits] = useState<Limits>({});
  const [chosen, setChosen] = useState<number | undefined>();
  const [dialog, setDialog] = useState("");
  const grid = useGrid(sheet, name);
  const adds = useAdds(sheet, name);
  const settings = useData<StageSettings>(name ? `p/${pid}/live/${name}/settings` : null);
  const selection = useSelection(sheet, brush);
  const { selected, shown, words } = selection;
  const dropped = useMemo(() => droppedBy(sheet, limits), [sheet, limits]);
  const keep = useMemo(() => keptRows(sheet, shown, dropped), [sheet, shown, dropped]);
  const steps = useSteps(reload);
  const verdicts = useVerdicts(sheet, name, steps);
  const acts = useLimitActs(sheet, name, limits, () => setLimits({}), steps);
  const mayTry = mayChange && sheet.live && live !== null;
  const step = (by: number) => {
    let i = chosen === undefined ? (by > 0 ? -1 : sheet.names.length) : chosen;
    do i += by;
    while (i >= 0 && i < sheet.names.length && (!shown[i] || !sheet.made[i]));
    if (i >= 0 && i < sheet.names.length) setChosen(i);
  };
  const open = (i: number) => {
    const focus = document.activeElement;
    if (focus instanceof HTMLElement && focus.matches("button, a, summary"))
      focus.click(); // Enter is its own
    else go(viewerLink(pid, sheet, i));
  };
  useKeys({
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    Escape: () => {
      setChosen(undefined);
      setBrush(null);
      selection.setPlace(null);
    },
    r: chosen !== undefined && verdicts ? () => verdicts.turn(chosen) : undefined,
    u: mayChange ? steps.undo : undefined,
    t: mayTry && chosen !== undefined ? () => setDialog("try") : undefined,
    p: mayTry ? () => setDialog("tune") : undefined,
    Enter:
      chosen !== undefined && isPicture(sheet, chosen) && sheet.list
        ? () => open(chosen)
        : undefined,
  });
  const options = settings.data?.AutoPick?.options;
  const tryIt = (i: number) => {
    setChosen(i);
    setDialog("try");
  };
  const one = { sheet, chosen, choose: setChosen };
  const side = Boolean(grid) || sheet.live;
  return (
    <>
      <div className={side ? "two" : "one"}>
        <Boundary what="The gallery">
          <Gallery
            {...one}
            session={sheet.live ? name : ""}
            keep={shown}
            diameter={Number(options?.log_diam_max) || 150}
            adjust={Number(options?.log_adjust_thr) || 0}
            selected={words}
            judge={verdicts}
            trial={mayTry ? tryIt : undefined}
            tune={mayTry ? () => setDialog("tune") : undefined}
          />
        </Boundary>
        {side && (
          <div className="stack">
            {grid && (
              <Boundary what="The grid">
                <GridPanel
                  {...one}
                  grid={grid}
                  goodShare={goodShare}
                  adds={adds}
                  selection={selection}
                />
              </Boundary>
            )}
            {sheet.live && (
              <Boundary what="The list of rejections">
                <Asides {...one} judge={verdicts} inSelection={selected} selected={words} />
              </Boundary>
            )}
          </div>
        )}
      </div>
      {sheet.kinds.length === 0 ? (
        <p className="hint">Figures come with motion correction and CTF estimation.</p>
      ) : (
        <>
          <Boundary what="Figures and limits">
            <Thresholds
              {...one}
              {...acts}
              name={name}
              limits={limits}
              setLimits={setLimits}
              dropped={dropped}
              part={selected}
            />
          </Boundary>
          <Boundary what="The plots">
            <LinkedPlots {...one} keep={keep} brush={brush} onBrush={setBrush} />
          </Boundary>
        </>
      )}
      <Boundary what="The table of movies">
        <Suspense fallback={null}>
          <MovieTable {...one} shown={shown} />
        </Suspense>
      </Boundary>
      {steps.last && (
        <p className="undo-bar">
          <button onClick={steps.undo}>
            Undo {steps.last.text} <kbd>U</kbd>
          </button>
        </p>
      )}
      {dialog === "try" && chosen !== undefined && (
        <TrialDialog session={name} sheet={sheet} start={chosen} close={() => setDialog("")} />
      )}
      {dialog === "tune" && <TuneDialog session={name} sheet={sheet} close={() => setDialog("")} />}
    </>
  );
}
