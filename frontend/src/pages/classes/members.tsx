// Some of the particles of a class.
import { address } from "../../api/http";
import type { ClassRow, Gallery } from "../../api/types";
import { Dialog } from "../../ui/dialog";
import { baseName, count } from "../../ui/words";

const MEMBERS = 96; // shown of a class

export function Members({
  pid,
  gallery,
  row,
  close,
}: {
  pid: string;
  gallery: Gallery;
  row: ClassRow;
  close: () => void;
}) {
  const n = row.particles;
  const said =
    n === null
      ? ""
      : n > MEMBERS
        ? `${MEMBERS} of ${count(n)} particles, from first to last; `
        : `${count(n)} particles; `;
  return (
    <Dialog title={`Class ${row.number}: members`} close={close} wide>
      <div className="dialog-body">
        {gallery.data && n ? (
          <img
            className="members"
            alt={`particles of class ${row.number}`}
            src={address(`p/${pid}/classes/members`, {
              data: gallery.data,
              number: row.number,
              count: MEMBERS,
            })}
          />
        ) : (
          <p>This class has no particles.</p>
        )}
        <p className="hint">
          {said}
          {baseName(gallery.model)}
        </p>
      </div>
    </Dialog>
  );
}
