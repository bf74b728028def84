/**
 * What npm runs after an installation: sees to it that the scripts of package.json find the Node that came along with
 * it, `node_modules/.bin/node`, and only if it runs here. Plain JavaScript for the Node that there was before.
 *
 * - npm 9, which Debian 12 and 13 have, makes that link and removes it again: packages for other machines, which it does
 *   not install, have one of the same name.
 * - Node 26 needs `libatomic.so.1`, which small systems lack; and glibc, which Alpine lacks. Without the link the scripts
 *   take the system's Node, if that is new enough.
 */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, symlinkSync } from "node:fs";

const NODE_MIN = 26;
const LINK = "node_modules/.bin/node";
const bundled = `node-${process.platform}-${process.arch}/bin/node`;

// Elsewhere none came along; npm's links on Windows are no links.
if (existsSync(`node_modules/${bundled}`)) {
  const { status, stderr, error } = spawnSync(`node_modules/${bundled}`, ["--version"], { encoding: "utf8" });
  if (status === 0) {
    if (!existsSync(LINK)) symlinkSync(`../${bundled}`, LINK);
  } else {
    rmSync(LINK, { force: true });
    tell(error?.message ?? (stderr.trim() || `it ends with ${status}`));
  }
}

function tell(reason) {
  const remedy = /libatomic/.test(reason)
    ? 'install it (Debian, Ubuntu, Raspberry Pi OS: "sudo apt install libatomic1"), then run "npm ci" again'
    : `install Node.js ${NODE_MIN} yourself`;
  const isNewEnough = Number.parseInt(process.versions.node, 10) >= NODE_MIN;
  const instead = `Node.js ${process.versions.node} of this system is used in its place`;
  console.error(`The Node.js that came along does not run here (${reason}): ${isNewEnough ? instead : remedy}`);
  if (!isNewEnough) process.exitCode = 1;
}
