// The session report as the server makes it: one page to keep or to print.
import { useRef, useState } from "react";
import { address } from "../api";
import { useProject } from "../context";

export function ReportPage() {
  const { pid } = useProject();
  const [sample, setSample] = useState("");
  const [microscope, setMicroscope] = useState("");
  const [asked, setAsked] = useState({ sample: "", microscope: "" });
  const frame = useRef<HTMLIFrameElement>(null);
  const src = address(`p/${pid}/report`, asked);
  return (
    <div className="report">
      <form className="toolbar" onSubmit={(event) => { event.preventDefault(); setAsked({ sample, microscope }); }}>
        <label>Sample <input value={sample} onChange={(event) => setSample(event.target.value)} placeholder="e.g. β-galactosidase, 2 mg/ml" /></label>
        <label>Microscope <input value={microscope} onChange={(event) => setMicroscope(event.target.value)} placeholder="e.g. Titan Krios" /></label>
        <button className="main">Make report</button>
        <span className="grow" />
        <a className="button" href={src} target="_blank" rel="noopener">Open to print or save as PDF</a>
        <a className="button" href={src} download="session-report.html">Keep as HTML</a>
      </form>
      <iframe ref={frame} src={src} title="session report" sandbox="" />
    </div>
  );
}
