/** The keys of the page, and the switch for single ones. */
import { type ReactNode, useId, useState } from "react";
import { setSingleKeys, singleKeys } from "./keys.js";
import { Dialog } from "./parts/dialog.js";
import { Button, Switch } from "./parts/ui.js";
import { KEYS } from "./texts/keys.js";
import { PAGE } from "./texts/page.js";

export default function ShortcutHelp({ onClose }: { readonly onClose: () => void }): ReactNode {
  const title = useId();
  const [on, setOn] = useState(singleKeys);
  const change = (now: boolean) => {
    setSingleKeys(now);
    setOn(now);
  };
  return (
    <Dialog labelledBy={title} onClose={onClose}>
      <div className="cmdin">
        <h2 id={title}>{KEYS.title}</h2>
        <span className="grow" />
        <span className="meta">{KEYS.off}</span>
        <Switch label={KEYS.off} on={on} onChange={change} />
        <Button kind="ghost" square icon="x" label={PAGE.close} onClick={onClose} />
      </div>
      <div className="keys">
        {KEYS.groups.map((group) => (
          <section key={group.title}>
            <h3 className="kh">{group.title}</h3>
            <dl>
              {group.keys.map((one) => (
                <div key={one.text}>
                  <dt>{one.text}</dt>
                  <dd className="row">
                    {one.keys.map((key) => (
                      <kbd className="kbd" key={key}>
                        {key}
                      </kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
