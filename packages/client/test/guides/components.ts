/** Compiles components of Vue and Svelte for Vite by their own compilers, as the plugins do that apps use. */

import { readFileSync } from "node:fs";
import { compile, compileModule } from "svelte/compiler";
import { type Plugin, transformWithOxc } from "vite";
import { compileScript, parse } from "vue/compiler-sfc";

const VUE_FLAGS = { __VUE_OPTIONS_API__: "true", __VUE_PROD_DEVTOOLS__: "false", __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false" };

export function components(): Plugin {
  return {
    name: "components",
    enforce: "pre",
    config: () => ({ define: VUE_FLAGS }),
    async load(id) {
      const found = /^(.*\.(vue|svelte|svelte\.ts))$/.exec(id);
      if (found === null) return null;
      const [, file = "", kind] = found;
      const source = readFileSync(file, "utf8");
      if (kind === "svelte") return compile(source, { filename: file, generate: "client" }).js.code;
      if (kind === "svelte.ts")
        return compileModule((await transformWithOxc(source, file)).code, { filename: file, generate: "client" }).js.code;
      const { content } = compileScript(parse(source, { filename: file }).descriptor, { id: file, inlineTemplate: true });
      return (await transformWithOxc(content, `${file}.ts`)).code;
    },
  };
}
