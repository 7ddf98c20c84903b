// A file of the project by its path.
import { useState } from "react";

export function OpenAny({ what, open }: { what: string; open: (path: string) => void }) {
  const [path, setPath] = useState("");
  return (
    <form
      className="row-tools open-any"
      onSubmit={event => {
        event.preventDefault();
        if (path.trim()) open(path.trim());
      }}
    >
      <input
        placeholder={what}
        aria-label={what}
        value={path}
        onChange={event => setPath(event.target.value)}
      />
      <button>Open</button>
    </form>
  );
}
