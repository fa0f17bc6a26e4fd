/** More windows of this board: beside this one, or at the other instance of `npm run cluster`; and this window, moved there. */

import { byId } from "./element.ts";
import { neighbourPort, pageAddress } from "./place.ts";

const WINDOW = "popup,noopener,width=900,height=680";
/** Narrower screens have no room for a window beside this one, so they get a tab. */
const WIDE = "(min-width: 60em)";

export function offerWindows(): { neighbour(isThere: boolean, name: string): void; neighbourAt(): string | undefined } {
  let offered: string | undefined;
  const another = byId<HTMLAnchorElement>("another-window");
  const [there, move] = [byId<HTMLAnchorElement>("another-instance"), byId<HTMLAnchorElement>("move")];
  for (const link of [another, there]) {
    const address = () => pageAddress(link === there ? neighbourPort() : undefined);
    link.href = address();
    link.addEventListener("click", (event) => {
      // The page of the board may have been turned.
      link.href = address();
      if (!matchMedia(WIDE).matches || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open(link.href, "_blank", WINDOW);
    });
  }
  return {
    /** Only if there is a second instance. The ports are those of `npm run cluster`. */
    neighbour(isThere, name) {
      const port = neighbourPort();
      offered = isThere ? port : undefined;
      byId("cluster").hidden = port === undefined || !isThere;
      if (port === undefined) return;
      for (const element of document.querySelectorAll(".another-port")) element.textContent = port;
      // Names are kept by origin, and another port is another origin.
      const url = new URL(pageAddress(port));
      url.searchParams.set("name", name);
      move.href = url.href;
    },
    /** The port of the instance to which the buttons lead, if they are shown. */
    neighbourAt: () => offered,
  };
}
