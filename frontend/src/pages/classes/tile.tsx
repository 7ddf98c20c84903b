// One class average with its size and resolution; a right click offers what can be done with it.
import { memo } from "react";
import { address } from "../../api/http";
import type { ClassRow, Gallery } from "../../api/types";
import { ContextMenu } from "../../ui/menu";
import { count, number } from "../../ui/words";

export interface TileActs {
  click: (n: number, shift: boolean) => void;
  members: (row: ClassRow) => void;
  above: (n: number) => void;
  below: (n: number) => void;
  save: (row: ClassRow) => void;
}

interface Props {
  row: ClassRow;
  gallery: Gallery;
  pid: string;
  side: number;
  chosen: boolean;
  marked: boolean;
  acts: TileActs;
}

/** A round length that is at most a quarter of the width. */
export function scaleBar(width: number): number {
  const power = 10 ** Math.floor(Math.log10(width / 4));
  return Math.max(...[1, 2, 5].map(m => m * power).filter(s => s <= width / 4));
}

export const ClassTile = memo(function ClassTile(props: Props) {
  const { row, gallery, pid, side, chosen, marked, acts } = props;
  const n = row.number;
  const column = (n - 1) % gallery.columns,
    line = Math.floor((n - 1) / gallery.columns);
  const columns = Math.min(gallery.columns, gallery.classes.length),
    lines = Math.ceil(gallery.classes.length / gallery.columns);
  const sheet = address(`p/${pid}/classes/sprite`, { model: gallery.model, v: gallery.changed });
  const width = gallery.box_size * gallery.pixel_size_angst,
    bar = scaleBar(width);
  const size = row.particles === null ? `${(row.share * 100).toFixed(1)} %` : count(row.particles);
  return (
    <ContextMenu
      entries={[
        { text: chosen ? "Take from the choice" : "Choose", act: () => acts.click(n, false) },
        { text: "Choose all above", act: () => acts.above(n) },
        { text: "Choose all below", act: () => acts.below(n) },
        { text: "Show members", key: "M", act: () => acts.members(row) },
        { text: "Save the average as PNG", act: () => acts.save(row) },
      ]}
    >
      <div
        className={`class-tile${chosen ? " chosen" : ""}${marked ? " marked" : ""}${row.empty ? " empty" : ""}`}
        style={{ width: side }}
        role="option"
        aria-selected={chosen}
        tabIndex={0}
        onClick={event => acts.click(n, event.shiftKey)}
        onDoubleClick={() => acts.members(row)}
        onKeyDown={event => {
          if (event.key === " ") {
            event.preventDefault();
            acts.click(n, event.shiftKey);
          }
        }}
        title={`class ${n}; double click: members, right click: more`}
      >
        <div
          className="class-image"
          style={{
            width: side,
            height: side,
            backgroundImage: `url("${sheet}")`,
            backgroundSize: `${columns * side}px ${lines * side}px`,
            backgroundPosition: `${-column * side}px ${-line * side}px`,
          }}
        >
          <i className="class-bar" style={{ width: (bar / width) * side }} title={`${bar} Å`} />
          {chosen && <b className="tick">✓</b>}
        </div>
        <div className="class-text">
          <b>{n}</b>
          {row.empty ? (
            <span className="hint">empty</span>
          ) : (
            <>
              <span>{size}</span>
              <span>
                {row.resolution_angst === null ? "–" : `${number(row.resolution_angst)} Å`}
              </span>
            </>
          )}
        </div>
      </div>
    </ContextMenu>
  );
});

/** The average of a class, cut from the sheet of all, as a file. */
export async function averageOf(
  pid: string,
  gallery: Gallery,
  row: ClassRow,
): Promise<Blob | null> {
  const picture = new Image();
  picture.src = address(`p/${pid}/classes/sprite`, { model: gallery.model, v: gallery.changed });
  await picture.decode();
  const columns = Math.min(gallery.columns, gallery.classes.length),
    side = picture.naturalWidth / columns;
  const made = document.createElement("canvas");
  made.width = made.height = side;
  const column = (row.number - 1) % gallery.columns,
    line = Math.floor((row.number - 1) / gallery.columns);
  made
    .getContext("2d")!
    .drawImage(picture, column * side, line * side, side, side, 0, 0, side, side);
  return new Promise(done => made.toBlob(done, "image/png"));
}
