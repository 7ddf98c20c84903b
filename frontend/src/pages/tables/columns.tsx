// Which columns are shown.
import { useState } from "react";
import type { Column } from "../../api/types";
import { Dialog } from "../../ui/dialog";

export function ColumnMenu({
  columns,
  hidden,
  setHidden,
}: {
  columns: Column[];
  hidden: string[];
  setHidden: (labels: string[]) => void;
}) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button onClick={() => setOpen(true)}>
        Columns{hidden.length > 0 && ` (${columns.length - hidden.length} of ${columns.length})`}
      </button>
      {open && (
        <Dialog title="Columns" close={() => setOpen(false)}>
          <div className="dialog-body">
            {columns.map(each => (
              <label key={each.label} className="check" title={each.meaning}>
                <input
                  type="checkbox"
                  checked={!hidden.includes(each.label)}
                  onChange={event =>
                    setHidden(
                      event.target.checked
                        ? hidden.filter(label => label !== each.label)
                        : [...hidden, each.label],
                    )
                  }
                />{" "}
                {each.label}
              </label>
            ))}
          </div>
          <footer>
            <button onClick={() => setHidden([])}>Show all</button>
            <button className="main" onClick={() => setOpen(false)}>
              Done
            </button>
          </footer>
        </Dialog>
      )}
    </>
  );
}
