// What this browser remembers of a page.
import { useState } from "react";

export function usePersisted<T>(name: string, initial: T): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => {
    try {
      return JSON.parse(localStorage.getItem(`verglas.${name}`) ?? "") as T;
    } catch {
      return initial;
    }
  });
  return [
    value,
    (next: T) => {
      setValue(next);
      try {
        localStorage.setItem(`verglas.${name}`, JSON.stringify(next));
      } catch {
        /* private mode */
      }
    },
  ];
}
