import { globSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { outputOf } from "../process.ts";

export type PythonVersion = readonly [major: number, minor: number, patch: number];

export interface Python {
  readonly path: string;
  readonly version: PythonVersion;
}

/** From which release (year, month) on Home Assistant asks for which Python, newest first. Source: its setup files. */
const REQUIREMENTS: readonly { readonly from: readonly [number, number]; readonly python: PythonVersion }[] = [
  { from: [2026, 3], python: [3, 14, 2] },
  { from: [2025, 5], python: [3, 13, 2] },
  { from: [2025, 2], python: [3, 13, 0] },
  { from: [2024, 4], python: [3, 12, 0] },
  { from: [0, 0], python: [3, 11, 0] },
];

/** The oldest Python that runs a release such as "2026.11.0". It also needs that minor line: no older, no newer one. */
export function requiredPython(release: string): PythonVersion {
  const [year = 0, month = 0] = release.split(".").map(Number);
  const fits = ({ from }: (typeof REQUIREMENTS)[number]) => year > from[0] || (year === from[0] && month >= from[1]);
  return REQUIREMENTS.find(fits)?.python ?? [3, 11, 0];
}

/** Every CPython of PATH, /usr/bin and pyenv that starts, with the interpreter's own path. */
export function installedPythons(): Python[] {
  const pyenv = process.env.PYENV_ROOT ?? join(homedir(), ".pyenv");
  const names = ["python3", ...[11, 12, 13, 14].map((minor) => `python3.${minor}`)];
  const candidates = [
    ...names,
    ...names.map((name) => `/usr/bin/${name}`),
    ...globSync(join(pyenv, "versions", "3.*", "bin", "python")),
  ];
  const found = new Map<string, Python>();
  for (const candidate of candidates) {
    const python = inspectPython(candidate);
    if (python) found.set(python.path, python);
  }
  return [...found.values()];
}

/** The installed Python that runs a release, the newest patch first. */
export function findPython(release: string): Python | undefined {
  const [major, minor, patch] = requiredPython(release);
  return installedPythons()
    .filter(({ version }) => version[0] === major && version[1] === minor && version[2] >= patch)
    .sort((a, b) => b.version[2] - a.version[2])[0];
}

export function inspectPython(path: string): Python | undefined {
  const answer = outputOf(path, ["-c", "import sys; print(sys.executable, *sys.version_info[:3])"]);
  const [, executable, ...version] = /^(\S+) (\d+) (\d+) (\d+)$/.exec(answer ?? "") ?? [];
  if (executable === undefined) return undefined;
  const [major = 0, minor = 0, patch = 0] = version.map(Number);
  return { path: executable, version: [major, minor, patch] };
}
