/** Switches a rule off in every World of a process: `node --import .../ablating.ts?R4.6 --test ...`. */

import { World } from "@presence-service/server/world";
import { ABLATIONS } from "./ablations.ts";

const rule = decodeURIComponent(new URL(import.meta.url).search.slice(1));
const ablation = ABLATIONS.find((one) => one.rule === rule);
if (ablation === undefined) throw new Error(`there is no ablation ${rule}`);
World.ablation = ablation;
