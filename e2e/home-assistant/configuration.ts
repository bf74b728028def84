import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Devices and sensors of the load generator. */
const LOAD = { devices: 5, sensors: 8 };

/**
 * The test home: HA's own demo integrations, helpers to steer, a text and a number that follow them, an automation and a
 * script that act, the load generator. `commit_interval: 1` lets HA's history answer a second after a change. No `default_config`: it discovers
 * the network and talks to the internet; `webhook` is a part of it.
 */
const CONFIGURATION = `\
homeassistant:
  name: Test Home
  latitude: 52.37
  longitude: 4.89
  elevation: 2
  unit_system: metric
  time_zone: Europe/Amsterdam
  currency: EUR
  country: NL
  packages: !include_dir_named packages
http: !include http.yaml
logger:
  default: warning
recorder:
  commit_interval: 1
history:
logbook:
webhook:
demo:
kitchen_sink:
load_generator:
  devices: ${LOAD.devices}
  sensors: ${LOAD.sensors}
input_boolean:
  test_switch:
    name: Test switch
  test_motion:
    name: Test motion
input_number:
  test_number:
    name: Test number
    min: 0
    max: 100
    step: 0.5
    unit_of_measurement: "%"
input_text:
  test_text:
    name: Test text
automation:
  - id: follow_motion
    alias: Follow motion
    trigger:
      - platform: state
        entity_id: input_boolean.test_motion
        to: "on"
    action:
      - service: light.turn_on
        target:
          entity_id: light.bed_light
      - service: script.lights_out
script:
  lights_out:
    alias: Lights out
    sequence:
      - service: light.turn_off
        target:
          entity_id: light.ceiling_lights
template:
  - sensor:
      - name: Double number
        unique_id: double_number
        unit_of_measurement: "%"
        state_class: measurement
        state: "{{ states('input_number.test_number') | float(0) * 2 }}"
      - name: Echoed text
        unique_id: echoed_text
        state: "{{ states('input_text.test_text') }}"
`;

/** Writes the test home's configuration into an empty folder; a folder that has one keeps it, with the port changed. */
export function writeConfiguration(folder: string, port: number): void {
  mkdirSync(folder, { recursive: true });
  const main = join(folder, "configuration.yaml");
  if (!existsSync(main)) {
    writeFileSync(main, CONFIGURATION);
    const generator = join(import.meta.dirname, "load_generator");
    cpSync(generator, join(folder, "custom_components", "load_generator"), { recursive: true });
  }
  writeFileSync(join(folder, "http.yaml"), `server_host: 127.0.0.1\nserver_port: ${port}\n`);
  setStoredPort(join(folder, ".storage", "http"), port);
}

/** From 2026.8 on HA takes `http:` from YAML at its first start only; later ones read what it stored. */
function setStoredPort(path: string, port: number): void {
  if (!existsSync(path)) return;
  const stored = JSON.parse(readFileSync(path, "utf8"));
  if (stored.data?.stable === undefined) return;
  Object.assign(stored.data.stable, {
    server_host: ["127.0.0.1"],
    server_port: port,
    error: null,
    error_message: null,
  });
  Object.assign(stored.data, { pending: null, yaml_migration_done: true });
  writeFileSync(path, JSON.stringify(stored));
}
