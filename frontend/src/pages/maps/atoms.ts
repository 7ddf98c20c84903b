// An atomic model of the project, read as text.
import { useQuery } from "@tanstack/react-query";
import { address, ApiError } from "../../api/http";
import { keyOf } from "../../api/reads";
import { useProject } from "../../context";
import type { Atoms } from "./surface";

async function read(path: string, url: string, signal: AbortSignal): Promise<Atoms> {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new ApiError(answer.status, (await answer.json()).error);
  const text = await answer.text();
  if (!/^(ATOM|HETATM)/m.test(text)) throw new ApiError(422, `${path} holds no atoms`);
  return { text, format: /^_atom_site\./m.test(text) ? "cif" : "pdb" };
}

export function useAtomsOf(path: string): { atoms: Atoms | null; error: string } {
  const { pid } = useProject();
  const found = useQuery<Atoms, ApiError>({
    queryKey: keyOf(`p/${pid}/file`, { path }),
    queryFn: ({ signal }) => read(path, address(`p/${pid}/file`, { path, download: true }), signal),
    enabled: Boolean(path),
    staleTime: Infinity,
    structuralSharing: false,
  });
  return { atoms: (path && found.data) || null, error: path ? (found.error?.message ?? "") : "" };
}
