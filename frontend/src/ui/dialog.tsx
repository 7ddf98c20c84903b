// Dialogs: in front of everything, closed by Escape, read out by their title; a question is a small one.
import * as Radix from "@radix-ui/react-dialog";
import { useState, type ReactNode } from "react";

export function Dialog({
  title,
  close,
  children,
  wide,
}: {
  title: string;
  close: () => void;
  children: ReactNode;
  wide?: boolean | "huge";
}) {
  return (
    <Radix.Root open onOpenChange={open => !open && close()}>
      <Radix.Portal>
        <Radix.Overlay className="veil" />
        <Radix.Content
          className={`dialog${wide === "huge" ? " wide huge" : wide ? " wide" : ""}`}
          aria-describedby={undefined}
        >
          <header>
            <Radix.Title asChild>
              <h2>{title}</h2>
            </Radix.Title>
            <Radix.Close asChild>
              <button className="plain" aria-label="close">
                ✕
              </button>
            </Radix.Close>
          </header>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** A question before something is done; what goes wrong is said in it, and it stays until it is dealt with. */
export function Ask({
  title,
  text,
  yes,
  act,
  close,
}: {
  title: string;
  text: ReactNode;
  yes: string;
  act: () => Promise<unknown> | void;
  close: () => void;
}) {
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    try {
      await act();
      close();
    } catch (reason) {
      setError(reason instanceof Error ? reason.message : String(reason));
    }
    setBusy(false);
  };
  return (
    <Dialog title={title} close={close}>
      <div className="dialog-body">
        {text}
        <DialogError text={error} />
      </div>
      <footer>
        <button onClick={close}>Cancel</button>
        <button className="main" autoFocus disabled={busy} onClick={() => void go()}>
          {busy ? "…" : yes}
        </button>
      </footer>
    </Dialog>
  );
}

/** What went wrong, inside the dialog it went wrong in. */
export function DialogError({ text }: { text: string }) {
  return text ? (
    <p className="problem" role="alert">
      {text}
    </p>
  ) : null;
}
