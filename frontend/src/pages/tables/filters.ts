// Filters of a table: a column, one of < > <= >= = != ~, a value; what is none is said before it is asked.
import type { Column } from "../../api/types";

const FORM = /^\s*([^\s<>=!~]+)\s*(<=|>=|!=|=|<|>|~)\s*(.*?)\s*$/;

/** What is wrong with a filter, in words; "" if nothing is. */
export function wrongFilter(text: string, columns: Column[]): string {
  const found = FORM.exec(text);
  if (!found) return "a filter is a column, one of < > <= >= = != ~, and a value";
  const [, name, sign, value] = found;
  const column = columns.find(each => each.label === name || each.label === `rln${name}`);
  if (!column) return `there is no column ${name}`;
  if (value === "") return `${name} ${sign} what? A value is missing`;
  if (/^[<>=!~]/.test(value)) return `${sign}${value[0]} is no comparison`;
  if (column.numeric && sign !== "~" && !isFinite(Number(value)))
    return `${name} holds numbers; ${value} is none`;
  if (!column.numeric && /[<>]/.test(sign)) return `${name} holds text: use = != or ~ (contains)`;
  return "";
}

/** With the column's whole label, and single spaces. */
export function wellFormed(text: string, columns: Column[]): string {
  const [, name, sign, value] = FORM.exec(text)!;
  const label = columns.some(each => each.label === name) ? name : `rln${name}`;
  return `${label} ${sign} ${value}`;
}
