// Jobs in Trash, to be brought back.
import { useState } from "react";
import { post } from "../api/http";
import { useProject } from "../context";
import { tell } from "../hooks";
import { Dialog, DialogError } from "../ui/dialog";

export function Undelete({ names, close }: { names: string[]; close: () => void }) {
  const { pid } = useProject();
  const [chosen, setChosen] = useState<string[]>([]);
  const [error, setError] = useState("");
  const bring = () =>
    post(`p/${pid}/undelete`, { names: chosen }).then(
      () => {
        tell("back from Trash");
        close();
      },
      reason => setError((reason as Error).message),
    );
  return (
    <Dialog title="Undelete jobs" close={close}>
      <div className="dialog-body">
        {names.length === 0 && <p>Trash is empty.</p>}
        {names.map(name => (
          <label key={name} className="check">
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={event =>
                setChosen(
                  event.target.checked ? [...chosen, name] : chosen.filter(each => each !== name),
                )
              }
            />{" "}
            {name}
          </label>
        ))}
        <DialogError text={error} />
      </div>
      <footer>
        <button onClick={close}>Cancel</button>
        <button className="main" disabled={!chosen.length} onClick={() => void bring()}>
          Bring back
        </button>
      </footer>
    </Dialog>
  );
}
