import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { Failure } from "../failure.ts";
import { outputOf, run } from "../process.ts";
import { aptInstall, insideEnvironment, isDebianRoot, makeDebianRoot, mayMount } from "./debian.ts";
import { findPython, inspectPython, installedPythons, type Python, requiredPython } from "./python.ts";
import { collectRequirements } from "./requirements.ts";

/** Where Home Assistant lives inside the Debian root. */
export const HOME_IN_ROOT = "/opt/home-assistant";

/** A finished install, as `install.json` in its folder tells it. */
export interface Installation {
  readonly version: string;
  readonly python: string;
  readonly seconds: number;
  readonly folder: string;
  /** The Debian root to chroot into, null for a Home Assistant that runs on the machine's own Python. */
  readonly root: string | null;
}

/** Keeps installs outside the work tree, one folder a release: 0.6 GB (2024) to 1.2 GB (2026, with its Debian). */
export function cacheFolder(release: string): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(cache, "ha-ingestor", `home-assistant-${release}`);
}

/**
 * Installs a Home Assistant release into `folder` with all that the test configuration needs, so that it starts
 * without asking the internet. A finished install is left as it is, an interrupted one is completed. Takes a Python of
 * the machine that runs the release, else (for 3.14, as root on Debian) makes a small Debian that has one.
 * Throws a Failure that says what is missing. Packages come from where pip and apt are configured to take them.
 */
export async function install(
  release: string,
  say: (line: string) => void,
  folder: string = cacheFolder(release),
): Promise<Installation> {
  const known = readInstallation(folder);
  if (known) {
    if (known.version !== release)
      throw new Failure(`"${folder}" holds Home Assistant ${known.version}, not ${release}`);
    await addNewRequirements(known, say);
    return known;
  }
  const began = performance.now();
  mkdirSync(folder, { recursive: true });
  const log = join(folder, "install.log");
  say(`installing Home Assistant ${release} into ${folder}`);

  const local = findPython(release);
  const root = local || !canMakeRoot(release) ? null : join(folder, "root");
  let python: Python;
  if (root !== null) {
    say("  making a small Debian with Python 3.14 (1 to 4 minutes)");
    await makeDebianRoot(root, log);
    python = { path: "/usr/bin/python3.14", version: versionInside(root) };
  } else {
    python = local ?? (await debianPython(release, log));
    await addBuildTools(python, log);
  }
  const version = python.version.join(".");
  say(`  installing packages for Python ${version} (1 to 3 minutes)`);
  await installPackages(release, python, folder, root, log);

  const record = { version: release, python: version, root, seconds: Math.round((performance.now() - began) / 1000) };
  writeFileSync(join(folder, "install.json.new"), `${JSON.stringify(record)}\n`);
  renameSync(join(folder, "install.json.new"), join(folder, "install.json"));
  say(`  done in ${record.seconds} s`);
  return { ...record, folder };
}

function readInstallation(folder: string): Installation | undefined {
  const record = join(folder, "install.json");
  return existsSync(record) ? { ...JSON.parse(readFileSync(record, "utf8")), folder } : undefined;
}

function canMakeRoot(release: string): boolean {
  return requiredPython(release)[1] === 14 && isDebianRoot() && mayMount();
}

function versionInside(root: string): Python["version"] {
  const answer = outputOf("chroot", [root, "/usr/bin/python3.14", "-c", "import sys; print(*sys.version_info[:3])"]);
  const [major, minor, patch] = (answer ?? "").split(" ").map(Number);
  if (major === undefined || minor === undefined || patch === undefined)
    throw new Failure(`"${root}" has no Python 3.14`);
  return [major, minor, patch];
}

/** The Python that Debian itself has for a release (Debian 12: 3.11), or a Failure that says what to install. */
async function debianPython(release: string, log: string): Promise<Python> {
  const [major, minor] = requiredPython(release);
  const name = `python${major}.${minor}`;
  if (isDebianRoot() && outputOf("apt-cache", ["show", name])) {
    await aptInstall([name, `${name}-venv`, `${name}-dev`], log);
    const python = inspectPython(`/usr/bin/${name}`);
    if (python) return python;
  }
  const found = new Set(installedPythons().map(({ version }) => version.join(".")));
  throw new Failure(
    `Home Assistant ${release} needs Python ${requiredPython(release).join(".")} or later of the ${major}.${minor} line; ` +
      `found ${[...found].join(", ") || "none"}. Install it (PATH or pyenv)` +
      (minor === 14 ? ", or run as root on Debian where a small Debian with it can be made." : "."),
  );
}

/** A few requirements have no wheel for older Pythons; Debian ships venv and the headers separately. */
async function addBuildTools({ path, version }: Python, log: string): Promise<void> {
  const missing: string[] = [];
  const name = `python${version[0]}.${version[1]}`;
  if (outputOf("cc", ["--version"]) === undefined) missing.push("build-essential");
  if (outputOf(path, ["-c", "import ensurepip, venv"]) === undefined) missing.push(`${name}-venv`);
  const header = "import os, sysconfig; assert os.path.exists(sysconfig.get_path('include') + '/Python.h')";
  if (outputOf(path, ["-c", header]) === undefined) missing.push(`${name}-dev`);
  if (missing.length > 0) await aptInstall(missing, log);
}

async function installPackages(
  release: string,
  python: Python,
  folder: string,
  root: string | null,
  log: string,
): Promise<void> {
  const { home, visibleHome } = homeOf(folder, root);
  mkdirSync(visibleHome, { recursive: true });
  const { inside, pip } = commandsOf(home, root, log);
  rmSync(join(visibleHome, "venv"), { recursive: true, force: true });
  await inside(python.path, "-m", "venv", `${home}/venv`);
  // First alone: it brings the constraints without which the resolver walks back through years of source packages.
  await pip("--no-deps", `homeassistant==${release}`);
  await installRequirements(release, folder, root, log);
}

/** An install is kept for long; what the test configuration has come to need since then is added to it. */
async function addNewRequirements(known: Installation, say: (line: string) => void): Promise<void> {
  const { version, folder, root } = known;
  const { visibleHome } = homeOf(folder, root);
  if (readFileSync(join(visibleHome, "requirements.txt"), "utf8") === requirementsFile(version, visibleHome)) return;
  say("  adding packages that the test configuration has come to need");
  await installRequirements(version, folder, root, join(folder, "install.log"));
}

/** Where Home Assistant lives, as its own processes name it and as this one does. */
function homeOf(folder: string, root: string | null): { readonly home: string; readonly visibleHome: string } {
  return root === null
    ? { home: folder, visibleHome: folder }
    : { home: HOME_IN_ROOT, visibleHome: join(root, HOME_IN_ROOT) };
}

/** The list is written once all of it is installed, so that an interrupted run is made up for by the next. */
async function installRequirements(release: string, folder: string, root: string | null, log: string): Promise<void> {
  const { home, visibleHome } = homeOf(folder, root);
  const requirements = requirementsFile(release, visibleHome);
  writeFileSync(join(visibleHome, "requirements.new.txt"), requirements);
  const constraints = join(home, relative(visibleHome, packageFolderOf(visibleHome)), "package_constraints.txt");
  const { pip } = commandsOf(home, root, log);
  await pip("-c", constraints, "-r", `${home}/requirements.new.txt`);
  renameSync(join(visibleHome, "requirements.new.txt"), join(visibleHome, "requirements.txt"));
}

function requirementsFile(release: string, visibleHome: string): string {
  const requirements = [`homeassistant==${release}`, ...collectRequirements(packageFolderOf(visibleHome), release)];
  return `${requirements.join("\n")}\n`;
}

function packageFolderOf(visibleHome: string): string {
  const [folder] = globSync(join(visibleHome, "venv/lib/python3*/site-packages/homeassistant"));
  if (folder === undefined) throw new Failure(`"${visibleHome}" has no homeassistant`);
  return folder;
}

function commandsOf(home: string, root: string | null, log: string) {
  const inside = (command: string, ...args: string[]) =>
    root === null
      ? run(command, args, { log, env: { ...process.env, ...PIP_QUIET } })
      : run("chroot", [root, command, ...args], { log, env: { ...insideEnvironment(), ...PIP_QUIET } });
  const pip = (...args: string[]) =>
    inside(`${home}/venv/bin/python`, "-m", "pip", "install", "--no-cache-dir", ...args);
  return { inside, pip };
}

const PIP_QUIET = { PIP_DISABLE_PIP_VERSION_CHECK: "1", PIP_NO_INPUT: "1", PIP_ROOT_USER_ACTION: "ignore" };
