// The figures of one micrograph, each with what it means.
import type { Micrographs } from "../../api/types";
import { unitOf } from "../../figures";
import { number } from "../../ui/words";

export function FiguresPanel({ table, index }: { table: Micrographs; index: number }) {
  return (
    <section>
      <h3>Figures</h3>
      <table className="figures-table">
        <tbody>
          {table.kinds
            .filter(({ key }) => table.columns[key])
            .map(kind => {
              const value = table.columns[kind.key][index];
              return (
                <tr key={kind.key} title={kind.definition}>
                  <th>{kind.title}</th>
                  <td>
                    {number(value === null ? null : value * kind.shown_scale)}{" "}
                    {value === null ? "" : unitOf(kind)}
                  </td>
                </tr>
              );
            })}
        </tbody>
      </table>
    </section>
  );
}
