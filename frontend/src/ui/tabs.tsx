// Tabs: arrow keys go from one to the next, the panel below belongs to the one that is chosen.
import * as Radix from "@radix-ui/react-tabs";
import type { ReactNode } from "react";

export interface TabOf {
  key: string;
  title: string;
  extra?: ReactNode;
}

export function Tabs({
  tabs,
  value,
  choose,
  children,
  small,
  className,
  after,
}: {
  tabs: TabOf[];
  value: string;
  choose: (key: string) => void;
  children: ReactNode;
  small?: boolean;
  className?: string;
  after?: ReactNode;
}) {
  return (
    <Radix.Root value={value} onValueChange={choose} className={className} activationMode="manual">
      <Radix.List className={small ? "tabs small" : "tabs"}>
        {tabs.map(each => (
          <Radix.Trigger key={each.key} value={each.key} type="button">
            {each.title}
            {each.extra}
          </Radix.Trigger>
        ))}
        {after}
      </Radix.List>
      <Radix.Content value={value} tabIndex={-1}>
        {children}
      </Radix.Content>
    </Radix.Root>
  );
}
