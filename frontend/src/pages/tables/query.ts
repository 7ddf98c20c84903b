// How a table is looked at, as it stands in an address.
export interface View {
  sort: string;
  descending: boolean;
  filters: string[];
  hidden: string[];
  plot: boolean;
}

export function viewOf(query: URLSearchParams): View {
  const sort = query.get("sort") ?? "";
  return {
    sort: sort.replace(/^-/, ""),
    descending: sort.startsWith("-"),
    filters: query.getAll("filter"),
    hidden: (query.get("hide") ?? "").split(",").filter(Boolean),
    plot: query.get("plot") === "1",
  };
}

/** The query of an address that shows this view. */
export function queryOf(view: View, path: string, block: string): URLSearchParams {
  const query = new URLSearchParams({ path, block });
  if (view.sort) query.set("sort", (view.descending ? "-" : "") + view.sort);
  view.filters.forEach(each => query.append("filter", each));
  if (view.hidden.length) query.set("hide", view.hidden.join(","));
  if (view.plot) query.set("plot", "1");
  return query;
}
