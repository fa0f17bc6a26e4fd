/** Certificates for a test of TLS, made with openssl. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scope } from "./scope.ts";

/**
 * A folder of certificates, which goes with the test. Two authorities; certificates of the first for the server, one of them without its address, and a
 * client, of the second for a stranger.
 */
export function certificates(scope: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), "presence-tls-"));
  scope.after(() => rmSync(folder, { recursive: true }));
  const openssl = (...args: string[]) => void execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = (name: string) => ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`];
  for (const name of ["ca", "other"]) openssl("req", "-x509", ...key(name), "-out", `${name}.pem`, "-days", "2", "-subj", `/CN=${name}`);
  const sign = (name: string, authority: string, names: string) => {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names}`);
    openssl("req", "-new", ...key(name), "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const by = ["-CA", `${authority}.pem`, "-CAkey", `${authority}.key`, "-CAcreateserial"];
    openssl("x509", "-req", "-in", `${name}.csr`, ...by, "-out", `${name}.pem`, "-days", "2", "-extfile", `${name}.ext`);
  };
  sign("server", "ca", "IP:127.0.0.1,DNS:redis.example");
  sign("named", "ca", "DNS:redis.example");
  sign("client", "ca", "DNS:client");
  sign("stranger", "other", "DNS:client");
  return folder;
}
