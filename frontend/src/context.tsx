// What every page of a project knows.
import { createContext, useContext } from "react";
import type { Loaded } from "./api/reads";
import type { Jobs, Who } from "./api/types";
import type { Watching } from "./api/watch";

export interface ProjectContext {
  pid: string;
  title: string;
  who: Who;
  mayChange: boolean;
  watch: Watching;
  jobs: Loaded<Jobs>;
}

export const Context = createContext<ProjectContext | null>(null);

export function useProject(): ProjectContext {
  const found = useContext(Context);
  if (!found) throw new Error("outside a project");
  return found;
}
