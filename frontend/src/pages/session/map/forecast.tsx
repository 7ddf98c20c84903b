// How much longer: what the next resolutions take in particles and hours, and the plots behind that.
import { useMemo } from "react";
import type { Answers, Forecast } from "../../../api/types";
import { usePersisted } from "../../../hooks";
import { Chart } from "../../../plots/chart";
import { useColours } from "../../../shell/theme";
import { asResolution, LinePlot } from "../../../plots/lines";
import { capital } from "../../../ui/words";
import { fscColumns, growthSpec, VIEWS, type View } from "./growth";

const FSC_RANGE: [number, number] = [-0.1, 1.05],
  GOLD = [{ y: 0.143, text: "0.143" }];

export function ForecastPanel({ answers }: { answers: Answers }) {
  const { forecast } = answers;
  const [view, setView] = usePersisted<View>("map.growth", "particles");
  const line = useColours()["chart-2"];
  const spec = useMemo(() => growthSpec(answers, view, line), [answers, view, line]);
  return (
    <section className="map-forecast" aria-label="how much longer">
      <h3>How much longer</h3>
      {forecast && <Words forecast={forecast} />}
      <div className="row-tools" role="group" aria-label="resolution shown">
        {VIEWS.map(each => (
          <button key={each.key} aria-pressed={view === each.key} onClick={() => setView(each.key)}>
            {each.title}
          </button>
        ))}
        {forecast?.b_factor_angst2 != null && (
          <span
            className="hint"
            title="2 over the slope of 1/d² against ln N (Rosenthal & Henderson 2003), with its standard error"
          >
            B {forecast.b_factor_angst2.toFixed(0)} ± {forecast.b_factor_error_angst2?.toFixed(0)}{" "}
            Å²
          </span>
        )}
      </div>
      {spec && <Chart spec={spec} height={230} className="line-plot" />}
    </section>
  );
}

function Words({ forecast }: { forecast: Forecast }) {
  if (forecast.why) return <p>{capital(forecast.why)}.</p>;
  return (
    <>
      <ul className="map-targets">
        {forecast.targets.map(each => (
          <li key={each.resolution_angst}>{each.words}</li>
        ))}
      </ul>
      <p className="hint">
        {forecast.worth && `${forecast.worth}. `}
        {forecast.limits.map(each => `${capital(each)}. `)}Numbers are between what holds in four of
        five cases.
      </p>
    </>
  );
}

export function FscPanel({ answers }: { answers: Answers }) {
  const shown = useMemo(() => fscColumns(answers), [answers]);
  if (!shown) return null;
  return (
    <section aria-label="FSC now and before">
      <h3>FSC of the halves, now and before</h3>
      <LinePlot
        title="Fourier shell correlation"
        height={200}
        x={shown.x}
        series={shown.series}
        xTitle="spatial frequency (1/Å)"
        yTitle="FSC"
        xSaid={asResolution}
        yRange={FSC_RANGE}
        marks={GOLD}
      />
    </section>
  );
}
