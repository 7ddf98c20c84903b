// Menus that drop from a button or open where somebody clicks with the right.
import * as Context from "@radix-ui/react-context-menu";
import * as Radix from "@radix-ui/react-dropdown-menu";
import type { ReactNode } from "react";

export interface Entry {
  text: string;
  key?: string;
  act?: () => void;
  off?: boolean;
  bad?: boolean;
}

const shown = (entry: Entry) => (
  <>
    <span>{entry.text}</span>
    {entry.key && <kbd>{entry.key}</kbd>}
  </>
);

export function Menu({
  title,
  label,
  entries,
  className = "plain",
}: {
  title: ReactNode;
  label?: string;
  entries: Entry[];
  className?: string;
}) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>
        <button type="button" className={className} aria-label={label}>
          {title}
        </button>
      </Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className="menu-list" align="start" sideOffset={2} collisionPadding={6}>
          {entries.map(entry => (
            <Radix.Item
              key={entry.text}
              className={entry.bad ? "bad" : ""}
              disabled={entry.off || !entry.act}
              onSelect={() => entry.act?.()}
            >
              {shown(entry)}
            </Radix.Item>
          ))}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** What a right click (or the menu key) offers on its child. */
export function ContextMenu({ entries, children }: { entries: Entry[]; children: ReactNode }) {
  return (
    <Context.Root modal={false}>
      <Context.Trigger asChild>{children}</Context.Trigger>
      <Context.Portal>
        <Context.Content className="menu-list" collisionPadding={6}>
          {entries.map(entry => (
            <Context.Item
              key={entry.text}
              className={entry.bad ? "bad" : ""}
              disabled={entry.off || !entry.act}
              onSelect={() => entry.act?.()}
            >
              {shown(entry)}
            </Context.Item>
          ))}
        </Context.Content>
      </Context.Portal>
    </Context.Root>
  );
}
