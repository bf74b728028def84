import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Config } from "../config.ts";
import { prepareDirectory } from "../data-directory.ts";
import { AppError } from "../domain/errors.ts";
import { openDatabase } from "../metadata/database.ts";
import { current, downgradeTo, lostBy, stamp, upgradeTo } from "../metadata/migrate.ts";
import { holdDirectories } from "./hold.ts";
import { assertThere } from "./there.ts";

/** `migrate current | upgrade | downgrade | stamp` on the database of the home; prints where it stands afterwards. */
export function migrate(
  [action, target]: readonly string[],
  config: Config,
  options: { readonly force: boolean },
): void {
  if (action === "current" && target !== undefined) {
    throw new AppError("invalid", `Cannot migrate current: "${target}" means nothing to it`);
  }
  if (action !== "stamp" && action !== "downgrade" && options.force)
    throw new AppError("invalid", `Cannot ${action}: it has no --force`);
  if (action === "current" && !existsSync(config.metadataFile)) {
    console.log(`"${config.metadataFile}" does not exist yet: the next start makes it`);
  } else if (action === "current") {
    withDatabase(config, { readOnly: true }, () => {});
  } else if (action === "upgrade") {
    // As the start does: who upgrades before the first one shall not fail.
    prepareDirectory(config.dataDir, "DATA_DIR");
    prepareDirectory(dirname(config.metadataFile), "DATABASE_URL");
    changing(config, (database) => upgradeTo(database, target ?? "head"));
  } else if (action === "downgrade" && target !== undefined) {
    assertThere("downgrade", config.metadataFile);
    changing(config, (database) => {
      if (!options.force) assertLosesNothing(database, target);
      downgradeTo(database, target);
    });
  } else if (action === "stamp" && target !== undefined) {
    assertThere("stamp", config.metadataFile);
    changing(config, (database) => stamp(database, target, options));
  } else if (action === "downgrade" || action === "stamp") {
    throw new AppError("invalid", `Cannot ${action}: say a revision${action === "stamp" ? " or head" : ", or -1"}`);
  } else {
    throw new AppError("invalid", `Cannot migrate: say current, upgrade, downgrade or stamp, not "${action ?? ""}"`);
  }
}

function assertLosesNothing(database: DatabaseSync, target: string): void {
  const { manualDevices, movedEntities } = lostBy(database, target);
  const lost: string[] = [];
  if (manualDevices > 0) {
    lost.push(
      manualDevices === 1 ? "a device that was added by hand" : `${manualDevices} devices that were added by hand`,
    );
  }
  if (movedEntities > 0) {
    lost.push(
      `where ${movedEntities === 1 ? "an entity was before it" : `${movedEntities} entities were before they`} moved`,
    );
  }
  if (lost.length === 0) return;
  throw new AppError(
    "conflict",
    `Cannot downgrade to ${target}: it drops ${lost.join(", and ")}; make a backup first, then say --force`,
  );
}

function changing(config: Config, change: (database: DatabaseSync) => unknown): void {
  using _held = holdDirectories(config, "migrate");
  withDatabase(config, { readOnly: false }, change);
}

function withDatabase(
  config: Config,
  mode: { readonly readOnly: boolean },
  change: (database: DatabaseSync) => unknown,
): void {
  const database = openDatabase(config.metadataFile, config.sqlite, mode);
  try {
    change(database);
    const { revision, name, newest } = current(database);
    console.log(
      `${revision ?? "base"}${name ? ` (${name})` : ""}${newest ? ", the newest" : ", newer ones wait: migrate upgrade"}`,
    );
  } finally {
    database.close();
  }
}
