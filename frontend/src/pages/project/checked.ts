// What the server says of a form while it is filled in: what is wrong, what it would run and make.
import { useEffect, useState } from "react";
import { post } from "../../api/http";
import type { Checked, Values } from "../../api/types";
import { useProject } from "../../context";

const ASKED_AFTER_MS = 200;

export function useChecked(
  type: string,
  job: string,
  values: Values,
  isContinue: boolean,
): { checked: Checked | null; error: string } {
  const { pid } = useProject();
  const [checked, setChecked] = useState<Checked | null>(null);
  const [error, setError] = useState("");
  useEffect(() => {
    let wanted = true;
    const timer = setTimeout(() => {
      post<Checked>(`p/${pid}/check`, {
        type: job ? "" : type,
        job,
        values,
        is_continue: isContinue,
      }).then(
        found => {
          if (!wanted) return;
          setChecked(found);
          setError("");
        },
        reason => wanted && setError(reason.message),
      );
    }, ASKED_AFTER_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [values, pid, type, job, isContinue]);
  return { checked, error };
}
