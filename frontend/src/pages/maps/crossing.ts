// Where a curve meets a criterion.

/** Where a curve falls below a limit, in Å, between two shells by a straight line. */
export function crossing(x: number[], y: (number | null)[], limit: number): string {
  const at = y.findIndex((v, i) => i > 0 && v !== null && v < limit);
  if (at < 1) return `does not fall below ${limit}`;
  const [a, b] = [y[at - 1] ?? 1, y[at] ?? 0];
  const s = x[at - 1] + ((a - limit) / Math.max(a - b, 1e-9)) * (x[at] - x[at - 1]);
  return s > 0 ? `falls below ${limit} at ${(1 / s).toFixed(2)} Å` : "";
}
