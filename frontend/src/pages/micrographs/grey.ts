// Black and white that suit a picture.

const TAIL = 0.01; // share of pixels that may be black, and white

/** Grey levels between which all but a few pixels of RGBA values lie. */
export function greyEnds(rgba: Uint8ClampedArray): [number, number] {
  const counts = new Array<number>(256).fill(0);
  for (let i = 0; i < rgba.length; i += 4) counts[rgba[i]]++;
  const wanted = (rgba.length / 4) * TAIL;
  let low = 0,
    high = 255;
  for (let sum = counts[0]; sum < wanted && low < 254; sum += counts[low]) low++;
  for (let sum = counts[255]; sum < wanted && high > low + 1; sum += counts[high]) high--;
  return [low, Math.max(high, low + 20)];
}
