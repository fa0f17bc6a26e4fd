/** Preloaded by react-18.test.ts: whoever asks for React gets React 18, and so does React 18 itself. */

import { registerHooks } from "node:module";

registerHooks({
  resolve: (specifier, context, next) => next(specifier.replace(/^(react|react-dom)(?=$|\/)/, "$1-18"), context),
});
