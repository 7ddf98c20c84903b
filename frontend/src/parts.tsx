// Small pieces every page uses: states, bars, dialogs, menus.
import { useEffect, useRef, useState, type ReactNode } from "react";
import { dismiss, useMessages } from "./hooks";
import type { Bar } from "./types";
import { STATES } from "./words";

export function State({ of }: { of: string }) {
  const state = STATES[of] ?? { sign: "?", className: "" };
  return (
    <span className={`state ${state.className}`} title={of} aria-label={of}>
      {state.sign}
    </span>
  );
}

export function Loading({ what = "loading" }: { what?: string }) {
  return (
    <div className="note-box" role="status">
      <span className="spinner" /> {what} …
    </div>
  );
}

export function Problem({ text, retry }: { text: string; retry?: () => void }) {
  return (
    <div className="note-box bad" role="alert">
      <b>That did not work.</b> {text} {retry && <button onClick={retry}>Try again</button>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="note-box">
      <b>{title}</b>
      <div>{children}</div>
    </div>
  );
}

export function ProgressBar({ bar }: { bar: Bar }) {
  const percent = Math.round(bar.fraction * 100);
  const time = bar.total ? `${bar.done} of ${bar.total} ${bar.unit}` : "";
  return (
    <span
      className="bar"
      role="progressbar"
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-label={bar.title ?? "progress"}
    >
      <span className={`fill${percent >= 100 ? " full" : ""}`} style={{ width: `${percent}%` }} />
      <span className="bar-text">
        {percent} %{time && ` · ${time}`}
      </span>
    </span>
  );
}

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
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!box.current?.open) box.current?.showModal();
  }, []);
  return (
    <dialog
      ref={box}
      className={wide === "huge" ? "wide huge" : wide ? "wide" : ""}
      onCancel={event => {
        event.preventDefault();
        close();
      }}
      onClose={close}
      aria-label={title}
    >
      <header>
        <h2>{title}</h2>
        <button className="plain" onClick={close} aria-label="close">
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}

export interface Entry {
  text: string;
  key?: string;
  act?: () => void;
  off?: boolean;
  bad?: boolean;
}

export function Menu({ title, entries }: { title: string; entries: Entry[] }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const away = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    window.addEventListener("pointerdown", away);
    box.current?.querySelector<HTMLButtonElement>(".menu-list button:not(:disabled)")?.focus();
    return () => window.removeEventListener("pointerdown", away);
  }, [open]);
  const move = (step: number) => {
    const all = [
      ...box.current!.querySelectorAll<HTMLButtonElement>(".menu-list button:not(:disabled)"),
    ];
    all[
      (all.indexOf(document.activeElement as HTMLButtonElement) + step + all.length) % all.length
    ]?.focus();
  };
  return (
    <div
      className="menu"
      ref={box}
      onKeyDown={event => {
        if (event.key === "Escape") setOpen(false);
        if (open && event.key === "ArrowDown") {
          event.preventDefault();
          move(1);
        }
        if (open && event.key === "ArrowUp") {
          event.preventDefault();
          move(-1);
        }
      }}
    >
      <button
        className="plain"
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {title}
      </button>
      {open && (
        <div className="menu-list" role="menu">
          {entries.map(entry => (
            <button
              key={entry.text}
              role="menuitem"
              disabled={entry.off || !entry.act}
              className={entry.bad ? "bad" : ""}
              onClick={() => {
                setOpen(false);
                entry.act?.();
              }}
            >
              <span>{entry.text}</span>
              {entry.key && <kbd>{entry.key}</kbd>}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

export function Messages() {
  return (
    <div className="messages" aria-live="polite">
      {useMessages().map(each => (
        <div key={each.id} className={each.bad ? "bad" : ""} onClick={() => dismiss(each.id)}>
          {each.text}
        </div>
      ))}
    </div>
  );
}

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
  act: () => void;
  close: () => void;
}) {
  return (
    <Dialog title={title} close={close}>
      <div className="dialog-body">{text}</div>
      <footer>
        <button onClick={close}>Cancel</button>
        <button
          className="main"
          autoFocus
          onClick={() => {
            act();
            close();
          }}
        >
          {yes}
        </button>
      </footer>
    </Dialog>
  );
}
