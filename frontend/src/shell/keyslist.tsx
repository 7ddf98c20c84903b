// Every key of the pages.
import { Dialog } from "../ui/dialog";

const KEYS: [string, string][] = [
  ["Alt-R", "re-read the pipeline"],
  ["Alt-E / Alt-P", "edit the note of the job (of the project) / show all notes"],
  ["Alt-↑ / Alt-↓", "move a scheduled job up / down"],
  ["Alt-D", "display the job's output"],
  ["Alt-Z", "start screen"],
  ["Alt-T", "empty trash"],
  ["Alt-S / Alt-L", "store / load settings of the form"],
  ["Alt-A / Alt-C", "order by name / by time"],
  ["Alt-U", "undelete"],
  ["Alt-O", "overwrite instead of continue"],
  ["Alt-G / Alt-H", "clean gently / harshly"],
  ["Alt-N", "remake .Nodes"],
  ["Alt-Q", "all projects"],
  ["← →", "previous and next micrograph, iteration"],
  ["E, Ctrl-S, U", "micrographs: edit picks, save, undo"],
  ["+ − 0", "micrographs: zoom in, out, all"],
  ["I, A, C", "classes: invert, all, clear"],
  ["click, Shift-click", "classes: toggle, range"],
  ["Enter", "classes: make the Select job"],
  ["T", "classes: use as templates"],
  ["left, middle or Shift-left drag", "picking: add, erase"],
  ["← →, Enter, Esc", "session: the micrograph before and after, open it, all again"],
  ["R, U", "session: set aside or take back, undo"],
  ["T, P", "session: trial settings, tune picking"],
];

export function Keys({ close }: { close: () => void }) {
  return (
    <Dialog title="Keys" close={close}>
      <table className="keys">
        <tbody>
          {KEYS.map(([key, text]) => (
            <tr key={key}>
              <th>
                <kbd>{key}</kbd>
              </th>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
