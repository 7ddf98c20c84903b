// The session report as the server makes it: one page to keep or to print.
import { useState } from "react";
import { address } from "../../api/http";
import { useProject } from "../../context";
import { usePersisted } from "../../hooks";

export function ReportPage() {
  const { pid } = useProject();
  const [given, setGiven] = usePersisted(`report.${pid}`, { sample: "", microscope: "" });
  const [asked, setAsked] = useState(given);
  const set = (key: string, text: string) => setGiven({ ...given, [key]: text });
  const src = address(`p/${pid}/report`, asked);
  return (
    <div className="report">
      <form
        className="toolbar"
        onSubmit={event => {
          event.preventDefault();
          setAsked(given);
        }}
      >
        <label>
          Sample{" "}
          <input
            value={given.sample}
            onChange={event => set("sample", event.target.value)}
            placeholder="e.g. β-galactosidase, 2 mg/ml"
          />
        </label>
        <label>
          Microscope{" "}
          <input
            value={given.microscope}
            onChange={event => set("microscope", event.target.value)}
            placeholder="e.g. Titan Krios"
          />
        </label>
        <button className="main">Make report</button>
        <span className="grow" />
        <a className="button" href={address(`p/${pid}/report.pdf`, asked)} download>
          Keep as PDF
        </a>
        <a className="button" href={src} download="session-report.html">
          Keep as HTML
        </a>
        <a className="button" href={src} target="_blank" rel="noopener">
          Open to print
        </a>
      </form>
      <iframe src={src} title="session report" sandbox="" />
    </div>
  );
}
