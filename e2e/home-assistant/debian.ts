import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { outputOf, run } from "../process.ts";

/** The Debian release that carries the Python 3.14 of new Home Assistants. */
const SUITE = "forky";
const PACKAGES = "python3.14,python3.14-venv,ca-certificates,tzdata";
const SCRIPTS = "/usr/share/debootstrap/scripts";
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

/** Root on a Debian: packages can be installed. */
export function isDebianRoot(): boolean {
  return (
    process.getuid?.() === 0 && existsSync("/etc/debian_version") && outputOf("apt-get", ["--version"]) !== undefined
  );
}

/** Root that may mount, which a container without privileges may not. */
export function mayMount(): boolean {
  return process.getuid?.() === 0 && outputOf("unshare", ["--mount", "true"]) !== undefined;
}

/** Installs Debian packages, from wherever this machine's apt takes them. */
export async function aptInstall(packages: readonly string[], log: string): Promise<void> {
  if (!isDebianRoot()) throw new Failure(`Debian packages are missing: install ${packages.join(" ")}, or run as root`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-qq"], { log, env });
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { log, env });
}

/**
 * A minimal Debian with Python 3.14 in `root` (about 350 MB), for machines whose own Python is older. A finished one
 * is left as it is, a half-made one is made again.
 */
export async function makeDebianRoot(root: string, log: string): Promise<void> {
  const finished = join(root, ".finished");
  if (existsSync(finished)) return;
  if (outputOf("debootstrap", ["--version"]) === undefined) await aptInstall(["debootstrap"], log);
  // Nothing of ours is mounted below it: mounts live in the namespace of the process that made them.
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  const args = ["--variant=minbase", `--include=${PACKAGES}`, SUITE, root];
  const mirror = aptMirror();
  if (mirror !== undefined) args.push(mirror);
  if (!existsSync(join(SCRIPTS, SUITE))) {
    if (mirror === undefined) throw new Failure(`apt names no Debian mirror to take ${SUITE} from`);
    // An older debootstrap does not know the suite's name; all recent suites are made the same way.
    args.push(join(SCRIPTS, "sid"));
  }
  await run("unshare", ["--mount", "--propagation", "private", "debootstrap", ...args], { log });
  copyFileSync(process.env.SSL_CERT_FILE ?? CERTIFICATES, join(root, CERTIFICATES));
  if (existsSync("/etc/pip.conf")) copyFileSync("/etc/pip.conf", join(root, "etc/pip.conf"));
  writeFileSync(finished, "");
}

/** The mirror that this machine's apt takes Debian itself from; debootstrap has a default of its own without one. */
function aptMirror(): string | undefined {
  const targets = outputOf("apt-get", ["indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"]);
  const line = targets?.split("\n").find((target) => target.startsWith("Debian "));
  return line?.split(" ")[1];
}

/** The environment of a command inside the root: the proxy and pip settings of outside, the paths of inside. */
export function insideEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => /_proxy$/i.test(name) || /^PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|DEFAULT_TIMEOUT)$/.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    HOME: "/root",
    LC_ALL: "C.UTF-8",
    SSL_CERT_FILE: CERTIFICATES,
    PIP_CERT: CERTIFICATES,
  };
}
