/**
 * Several things in one place, as the keyboard has tabs (https://www.w3.org/WAI/ARIA/apg/patterns/tabs/).
 */
import type { ComponentChildren, JSX } from "preact";

interface TabsProps<Name extends string> {
  readonly tabs: readonly Name[];
  readonly titles: Readonly<Record<Name, string>>;
  readonly chosen: Name;
  readonly choose: (name: Name) => void;
  readonly children: ComponentChildren;
}

/** Tabs, and what the chosen one shows. */
export function Tabs<Name extends string>({ tabs, titles, chosen, choose, children }: TabsProps<Name>): JSX.Element {
  const step = (by: number): void => {
    const next = tabs[(tabs.indexOf(chosen) + by + tabs.length) % tabs.length];
    if (next === undefined) return;
    choose(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <>
      <div
        role="tablist"
        class="buttons"
        onKeyDown={({ key }) => {
          if (key === "ArrowRight") step(1);
          else if (key === "ArrowLeft") step(-1);
        }}
      >
        {tabs.map((name) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            aria-selected={name === chosen}
            aria-controls="tab-panel"
            tabIndex={name === chosen ? 0 : -1}
            onClick={() => {
              choose(name);
            }}
          >
            {titles[name]}
          </button>
        ))}
      </div>
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${chosen}`}>
        {children}
      </div>
    </>
  );
}
