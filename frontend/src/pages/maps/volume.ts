// A map as the page has it: a smaller copy, with where it is contoured and how large its voxels are.
import { useQuery } from "@tanstack/react-query";
import { address, ApiError } from "../../api/http";
import { keyOf } from "../../api/reads";
import { useProject } from "../../context";

/** Voxels a side; the server cuts larger maps down. */
export const COARSE = 96,
  FINE = 160,
  WHOLE = 192; // as many as it gives: values that are no density (local resolution) ring when they are cut

export interface Volume {
  mean: number;
  deviation: number;
  maximum: number;
  level: number; // where it is contoured unless somebody says otherwise
  voxel: number; // Å, of the copy
  width: number; // Å, along x
  bytes: ArrayBuffer;
}

async function read(url: string, signal: AbortSignal): Promise<Volume> {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new ApiError(answer.status, (await answer.json()).error);
  const head = (name: string) => Number(answer.headers.get(name));
  const bytes = await answer.arrayBuffer();
  const voxel = head("x-voxel");
  return {
    mean: head("x-mean"),
    deviation: head("x-deviation"),
    maximum: head("x-maximum"),
    level: head("x-level"),
    voxel,
    width: voxel * new DataView(bytes).getInt32(0, true),
    bytes,
  };
}

export function useVolume(path: string, side = COARSE) {
  const { pid } = useProject();
  const query = { path, side };
  const found = useQuery<Volume, ApiError>({
    queryKey: keyOf(`p/${pid}/maps/volume`, query),
    queryFn: ({ signal }) => read(address(`p/${pid}/maps/volume`, query), signal),
    enabled: Boolean(path),
    staleTime: Infinity,
    gcTime: 60_000, // a map is large
    structuralSharing: false,
  });
  return { volume: found.data ?? null, error: found.error?.message ?? "" };
}

const HEADER_BYTES = 1024;

/** Values of an MRC file of 32-bit numbers. */
export function valuesOf(bytes: ArrayBuffer): Float32Array {
  return new Float32Array(bytes, HEADER_BYTES + new DataView(bytes).getInt32(92, true));
}

const LEAST_ANGST = 1; // outside its mask a map of resolutions holds 0

/** Between which resolutions a colour scale runs: all but a few of them. */
export function scaleOf(volume: Volume): [number, number] {
  const inside = valuesOf(volume.bytes)
    .filter(v => v > LEAST_ANGST && isFinite(v))
    .sort();
  if (!inside.length) return [0, 1];
  const at = (share: number) =>
    inside[Math.min(inside.length - 1, Math.floor(share * inside.length))];
  const low = at(0.02),
    high = at(0.85);
  return high > low ? [low, high] : [low, low + 1];
}
