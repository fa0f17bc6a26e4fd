/**
 * The PEM files for TLS with Redis: read once at start, checked together. Neither their contents nor their paths are ever shown: the
 * value of such a setting may be the key itself.
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/** PEM texts, as files hold them; a certificate and its key come together. `name`: see REDIS_TLS_NAME. */
export type RedisTls = { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly name?: string };

/** Paths; `isTls`: REDIS_URL asks for TLS. */
export type TlsFiles = {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly isTls: boolean;
};

const SETTING = { ca: "REDIS_TLS_CA", cert: "REDIS_TLS_CERT", key: "REDIS_TLS_KEY" } as const;
const KINDS = ["ca", "cert", "key"] as const;

/** Reads the files. Adds a sentence for each problem. */
export function readTlsFiles(files: TlsFiles, problems: string[]): RedisTls {
  const given = KINDS.filter((kind) => files[kind] !== undefined);
  if (given.length === 0) return {};
  if (!files.isTls) {
    problems.push(
      `${given.map((kind) => SETTING[kind]).join(", ")} ${given.length === 1 ? "is" : "are"} of no use without TLS: REDIS_URL must begin with rediss.`,
    );
  }
  if ((files.cert === undefined) !== (files.key === undefined)) {
    const [one, other] = files.cert === undefined ? [SETTING.key, SETTING.cert] : [SETTING.cert, SETTING.key];
    problems.push(`${one} is set without ${other}: a client certificate needs both.`);
  }
  const read = Object.fromEntries(given.flatMap((kind) => pemOf(kind, files[kind] ?? "", problems) ?? [])) as RedisTls;
  if (read.cert !== undefined && read.key !== undefined) {
    const isPair = new X509Certificate(read.cert).checkPrivateKey(createPrivateKey(read.key));
    if (!isPair) problems.push("REDIS_TLS_KEY is not the key of the certificate in REDIS_TLS_CERT. Give the two that were made together.");
  }
  return read;
}

function pemOf(kind: keyof typeof SETTING, path: string, problems: string[]): [[typeof kind, string]] | undefined {
  if (path.includes("-----BEGIN")) {
    problems.push(`${SETTING[kind]} holds PEM text. Write that text to a file, and give the path of the file.`);
    return undefined;
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    problems.push(`The file that ${SETTING[kind]} names cannot be read (${code}).`);
    return undefined;
  }
  const wrong = kind === "key" ? wrongKey(text) : wrongCertificate(text);
  if (wrong === undefined) return [[kind, text]];
  problems.push(`The file that ${SETTING[kind]} names ${wrong}.`);
  return undefined;
}

function wrongCertificate(text: string): string | undefined {
  try {
    new X509Certificate(text);
    return undefined;
  } catch {
    return "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)";
  }
}

function wrongKey(text: string): string | undefined {
  if (/ENCRYPTED/.test(text))
    return "holds a key with a passphrase; take it off (openssl pkey), and keep the file readable for this user only";
  try {
    createPrivateKey(text);
    return undefined;
  } catch {
    return "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)";
  }
}
