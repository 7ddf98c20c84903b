// Read-only links to this project: made here, told once, taken back here.
import { useState } from "react";
import { call, post } from "../api/http";
import { useProject } from "../context";
import { attempt, useData } from "../hooks";
import { Dialog, DialogError } from "../ui/dialog";
import { Problem } from "../ui/parts";

export function Share({ close }: { close: () => void }) {
  const { pid } = useProject();
  const [days, setDays] = useState(7);
  const [name, setName] = useState("guest");
  const [made, setMade] = useState("");
  const known = useData<{ name: string; days_left: number }[]>(`p/${pid}/share`);
  const [error, setError] = useState("");
  const make = async () => {
    try {
      const found = await post<{ address: string }>(`p/${pid}/share`, { name, days });
      setMade(location.origin + found.address);
      setError("");
      known.reload();
    } catch (reason) {
      setError((reason as Error).message);
    }
  };
  return (
    <Dialog title="Share a read-only link" close={close}>
      <div className="dialog-body">
        <p>Whoever has the link may look at this project until it expires, and change nothing.</p>
        <label className="row">
          For <input value={name} onChange={event => setName(event.target.value)} />
        </label>
        <label className="row">
          Days{" "}
          <input
            type="number"
            min={1}
            max={90}
            value={days}
            onChange={event => setDays(Number(event.target.value))}
          />
        </label>
        <DialogError text={error} />
        {made && (
          <p>
            Copy it now; it is not shown again.
            <input
              readOnly
              value={made}
              className="wide-field"
              onFocus={event => event.target.select()}
              autoFocus
            />
          </p>
        )}
        {known.error && <Problem text={known.error} retry={known.reload} />}
        {(known.data?.length ?? 0) > 0 && <h3>Links that are good now</h3>}
        {known.data?.map((each, index) => (
          <div key={index} className="stop-row">
            <b>{each.name}</b> {each.days_left.toFixed(1)} days left
            <button
              className="bad"
              onClick={() =>
                void attempt(
                  call("DELETE", `p/${pid}/share/${encodeURIComponent(each.name)}`),
                  `links of ${each.name} are taken back`,
                ).then(known.reload)
              }
            >
              Take back
            </button>
          </div>
        ))}
      </div>
      <footer>
        <button onClick={close}>Close</button>
        <button className="main" disabled={!name.trim() || days < 1} onClick={() => void make()}>
          Make link
        </button>
      </footer>
    </Dialog>
  );
}
