import {
  CLIMATE,
  COVER,
  gauge,
  type Kind,
  LAST_SEEN,
  LIGHT,
  MEDIA_PLAYER,
  meter,
  presence,
  still,
  text,
  twoStates,
  WEATHER_REPORT,
  words,
} from "./kinds.ts";

/** What one home consists of, before it has ids: plain data from which `plan.ts` makes registries and entities. */
export interface EntityModel {
  readonly kind: Kind;
  /** Null: the entity is the device's main feature and bears its name. */
  readonly name: string | null;
  readonly category?: "config" | "diagnostic";
  readonly disabledBy?: "integration" | "user";
  readonly hiddenBy?: "integration" | "user";
  /** Unavailable until a test changes it, as if its radio were dead. */
  readonly unavailable?: boolean;
}

export interface DeviceModel {
  readonly integration: string;
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly entryType?: "service";
  readonly entities: readonly EntityModel[];
}

export interface DevicePlan {
  readonly model: DeviceModel;
  readonly name: string;
  readonly area: string | null;
  readonly labels?: readonly string[];
  /** Name of the device through which it is connected, which stands earlier in the list. */
  readonly via?: string;
  /** Name of the device of which it is a part (HA 2026.9 and later; older ones do not know such devices). */
  readonly parent?: string;
  readonly nameByUser?: string;
}

/** An entity without a device: a helper, a person, or one that only has a state. */
export interface LonePlan {
  readonly entityId: string;
  readonly name: string;
  readonly integration: string;
  readonly kind: Kind;
  readonly registered: boolean;
}

export const FLOORS = [
  { id: "ground_floor", name: "Ground Floor", level: 0 },
  { id: "first_floor", name: "First Floor", level: 1 },
] as const;

export const AREAS = [
  { id: "living_room", name: "Living Room", floor: "ground_floor", icon: "mdi:sofa" },
  { id: "kitchen", name: "Kitchen", floor: "ground_floor", icon: "mdi:stove" },
  { id: "hallway", name: "Hallway", floor: "ground_floor", icon: "mdi:door" },
  { id: "garage", name: "Garage", floor: "ground_floor", icon: "mdi:garage" },
  { id: "bedroom", name: "Bedroom", floor: "first_floor", icon: "mdi:bed" },
  { id: "bathroom", name: "Bathroom", floor: "first_floor", icon: "mdi:shower" },
  { id: "office", name: "Office", floor: "first_floor", icon: "mdi:desk" },
  { id: "garden", name: "Garden", floor: null, icon: "mdi:flower" },
] as const;

export const LABELS = [
  { id: "critical", name: "Critical", color: "red", icon: "mdi:alert" },
  { id: "energy", name: "Energy", color: "green", icon: "mdi:flash" },
  { id: "night", name: "Night", color: "indigo", icon: null },
] as const;

const temperature = gauge({ unit: "°C", deviceClass: "temperature", min: 14, max: 26, step: 0.3, decimals: 1 });
const outdoor = gauge({ unit: "°C", deviceClass: "temperature", min: -5, max: 24, step: 0.4, decimals: 1 });
const flow = gauge({ unit: "°C", deviceClass: "temperature", min: 22, max: 48, step: 0.8, decimals: 1 });
const humidity = gauge({ unit: "%", deviceClass: "humidity", min: 30, max: 75, step: 1, decimals: 1 });
const pressure = gauge({ unit: "hPa", deviceClass: "pressure", min: 985, max: 1035, step: 0.4, decimals: 1 });
const illuminance = gauge({ unit: "lx", deviceClass: "illuminance", min: 0, max: 1200, step: 60, decimals: 0 });
const battery = gauge({ unit: "%", deviceClass: "battery", min: 20, max: 100, step: 1, decimals: 0 });
const power = gauge({ unit: "W", deviceClass: "power", min: 0, max: 2400, step: 150, decimals: 1 });
const voltage = gauge({ unit: "V", deviceClass: "voltage", min: 224, max: 239, step: 0.7, decimals: 1 });
const current = gauge({ unit: "A", deviceClass: "current", min: 0, max: 10, step: 0.5, decimals: 2 });
const signal = gauge({ unit: "dBm", deviceClass: "signal_strength", min: -90, max: -40, step: 3, decimals: 0 });
const energy = meter({ unit: "kWh", deviceClass: "energy", start: 812, step: 0.05, decimals: 3 });
const daily = meter({ unit: "kWh", deviceClass: "energy", start: 6, step: 0.1, decimals: 2, resetAt: 24 });
const uptime = LAST_SEEN;
const lightSwitch = twoStates("switch", null);

const HUE_BRIDGE: DeviceModel = {
  integration: "hue",
  manufacturer: "Philips",
  model: "Hue Bridge",
  entities: [{ kind: twoStates("binary_sensor", "connectivity"), name: "Connectivity", category: "diagnostic" }],
};

const HUE_LAMP: DeviceModel = {
  integration: "hue",
  manufacturer: "Philips",
  model: "Hue white and color ambiance",
  entities: [{ kind: LIGHT, name: null }],
};

const HUE_MOTION: DeviceModel = {
  integration: "hue",
  manufacturer: "Philips",
  model: "Hue motion sensor",
  entities: [
    { kind: twoStates("binary_sensor", "motion"), name: "Motion" },
    { kind: temperature, name: "Temperature" },
    { kind: illuminance, name: "Illuminance" },
    { kind: battery, name: "Battery", category: "diagnostic" },
    { kind: lightSwitch, name: "Motion sensor enabled", category: "config" },
  ],
};

const SHELLY_PLUG: DeviceModel = {
  integration: "shelly",
  manufacturer: "Shelly",
  model: "Shelly Plus Plug S",
  entities: [
    { kind: lightSwitch, name: null },
    { kind: power, name: "Power" },
    { kind: energy, name: "Energy" },
    { kind: voltage, name: "Voltage" },
    { kind: current, name: "Current" },
    { kind: signal, name: "RSSI", category: "diagnostic", disabledBy: "integration" },
    { kind: uptime, name: "Last restart", category: "diagnostic" },
  ],
};

const AQARA_CLIMATE: DeviceModel = {
  integration: "zha",
  manufacturer: "Aqara",
  model: "WSDCGQ11LM",
  entities: [
    { kind: temperature, name: "Temperature" },
    { kind: humidity, name: "Humidity" },
    { kind: pressure, name: "Pressure" },
    { kind: battery, name: "Battery", category: "diagnostic" },
  ],
};

const AQARA_CONTACT: DeviceModel = {
  integration: "zha",
  manufacturer: "Aqara",
  model: "MCCGQ11LM",
  entities: [
    { kind: twoStates("binary_sensor", "door"), name: "Opening" },
    { kind: battery, name: "Battery", category: "diagnostic" },
  ],
};

const AQARA_LEAK: DeviceModel = {
  integration: "zha",
  manufacturer: "Aqara",
  model: "SJCGQ11LM",
  entities: [
    { kind: twoStates("binary_sensor", "moisture"), name: "Moisture", unavailable: true },
    { kind: battery, name: "Battery", category: "diagnostic", unavailable: true },
  ],
};

const SONOS: DeviceModel = {
  integration: "sonos",
  manufacturer: "Sonos",
  model: "One SL",
  entities: [
    { kind: MEDIA_PLAYER, name: null },
    { kind: lightSwitch, name: "Crossfade", category: "config" },
  ],
};

const RADIATOR: DeviceModel = {
  integration: "tado",
  manufacturer: "Tado",
  model: "VA02",
  entities: [
    { kind: CLIMATE, name: null },
    { kind: gauge({ unit: "%", deviceClass: null, min: 0, max: 100, step: 9, decimals: 0 }), name: "Heating" },
  ],
};

const BLIND: DeviceModel = {
  integration: "overkiz",
  manufacturer: "Somfy",
  model: "Sunilus io",
  entities: [
    { kind: COVER, name: null },
    { kind: signal, name: "RSSI level", category: "diagnostic", hiddenBy: "integration" },
  ],
};

const HEAT_PUMP: DeviceModel = {
  integration: "vicare",
  manufacturer: "Viessmann",
  model: "Vitocal 250-A",
  entities: [
    { kind: CLIMATE, name: null },
    { kind: outdoor, name: "Outside temperature" },
    { kind: flow, name: "Supply temperature" },
    { kind: flow, name: "Return temperature" },
    { kind: power, name: "Compressor power" },
    { kind: energy, name: "Electricity consumption" },
    { kind: gauge({ unit: null, deviceClass: null, min: 2, max: 5, step: 0.2, decimals: 2 }), name: "COP" },
    { kind: words(["standby", "heating", "hot_water", "defrost"]), name: "Phase" },
  ],
};

const INVERTER: DeviceModel = {
  integration: "fronius",
  manufacturer: "Fronius",
  model: "Symo GEN24 8.0",
  entities: [
    { kind: gauge({ unit: "W", deviceClass: "power", min: 0, max: 7800, step: 320, decimals: 0 }), name: "AC power" },
    { kind: daily, name: "Energy day" },
    { kind: energy, name: "Total energy" },
    {
      kind: gauge({ unit: "Hz", deviceClass: "frequency", min: 49.9, max: 50.1, step: 0.02, decimals: 2 }),
      name: "Frequency",
    },
    {
      kind: gauge({ unit: "V", deviceClass: "voltage", min: 180, max: 620, step: 12, decimals: 1 }),
      name: "DC voltage",
    },
    { kind: words(["running", "standby", "error"]), name: "Status", category: "diagnostic" },
  ],
};

const GRID_METER: DeviceModel = {
  integration: "dsmr",
  manufacturer: "Landis+Gyr",
  model: "E360",
  entities: [
    {
      kind: gauge({ unit: "kW", deviceClass: "power", min: 0, max: 9, step: 0.4, decimals: 3 }),
      name: "Power consumption",
    },
    { kind: energy, name: "Energy consumption (tarif 1)" },
    { kind: energy, name: "Energy consumption (tarif 2)" },
    { kind: meter({ unit: "m³", deviceClass: "gas", start: 2104, step: 0.02, decimals: 3 }), name: "Gas consumption" },
    { kind: words(["low", "normal"]), name: "Active tariff" },
  ],
};

const VACUUM: DeviceModel = {
  integration: "roborock",
  manufacturer: "Roborock",
  model: "S8",
  entities: [
    { kind: twoStates("vacuum", null, ["docked", "cleaning"]), name: null },
    { kind: battery, name: "Battery", category: "diagnostic" },
    { kind: text("Kitchen", ["Hallway", "Living Room"]), name: "Current room" },
  ],
};

const PHONE: DeviceModel = {
  integration: "mobile_app",
  manufacturer: "Google",
  model: "Pixel 9",
  entities: [
    {
      kind: presence("device_tracker", { source_type: "gps", latitude: 52.37, longitude: 4.89, gps_accuracy: 12 }),
      name: null,
    },
    { kind: battery, name: "Battery level" },
    { kind: twoStates("binary_sensor", "plug"), name: "Is charging" },
  ],
};

const WEATHER_SERVICE: DeviceModel = {
  integration: "met",
  manufacturer: "Met.no",
  model: "Forecast",
  entryType: "service",
  entities: [{ kind: WEATHER_REPORT, name: null }],
};

const SUN_SERVICE: DeviceModel = {
  integration: "sun",
  manufacturer: null,
  model: null,
  entryType: "service",
  entities: [{ kind: LAST_SEEN, name: "Next rising", category: "diagnostic" }],
};

const POWER_STRIP: DeviceModel = {
  integration: "tplink",
  manufacturer: "TP-Link",
  model: "HS300",
  entities: [{ kind: signal, name: "Signal strength", category: "diagnostic" }],
};

const OUTLET: DeviceModel = {
  integration: "tplink",
  manufacturer: null,
  model: null,
  entities: [
    { kind: lightSwitch, name: null },
    { kind: power, name: "Current consumption" },
  ],
};

/** The small home, in the order in which its devices were added. */
export const SMALL_HOME: readonly DevicePlan[] = [
  { model: HUE_BRIDGE, name: "Hue Bridge", area: "living_room" },
  { model: HUE_LAMP, name: "Living Room Ceiling", area: "living_room", via: "Hue Bridge" },
  { model: HUE_LAMP, name: "Living Room Floor Lamp", area: "living_room", via: "Hue Bridge", labels: ["night"] },
  { model: HUE_LAMP, name: "Kitchen Counter", area: "kitchen", via: "Hue Bridge" },
  { model: HUE_LAMP, name: "Hallway Light", area: "hallway", via: "Hue Bridge", labels: ["night"] },
  { model: HUE_LAMP, name: "Bedroom Light", area: "bedroom", via: "Hue Bridge" },
  { model: HUE_LAMP, name: "Office Light", area: "office", via: "Hue Bridge" },
  { model: HUE_MOTION, name: "Hallway Motion", area: "hallway", via: "Hue Bridge" },
  { model: HUE_MOTION, name: "Bathroom Motion", area: "bathroom", via: "Hue Bridge" },
  { model: SHELLY_PLUG, name: "Washing Machine", area: "bathroom", labels: ["energy"] },
  { model: SHELLY_PLUG, name: "Dishwasher", area: "kitchen", labels: ["energy"] },
  { model: SHELLY_PLUG, name: "TV Plug", area: "living_room", nameByUser: "Television" },
  { model: SHELLY_PLUG, name: "Desk", area: "office" },
  { model: SHELLY_PLUG, name: "Fridge", area: "kitchen", labels: ["critical", "energy"] },
  { model: AQARA_CLIMATE, name: "Living Room Climate", area: "living_room" },
  { model: AQARA_CLIMATE, name: "Kitchen Climate", area: "kitchen" },
  { model: AQARA_CLIMATE, name: "Bedroom Climate", area: "bedroom" },
  { model: AQARA_CLIMATE, name: "Bathroom Climate", area: "bathroom" },
  { model: AQARA_CLIMATE, name: "Office Climate", area: "office" },
  { model: AQARA_CLIMATE, name: "Garage Climate", area: "garage" },
  { model: AQARA_CONTACT, name: "Front Door", area: "hallway", labels: ["critical"] },
  { model: AQARA_CONTACT, name: "Garage Door", area: "garage" },
  { model: AQARA_CONTACT, name: "Terrace Door", area: "living_room" },
  { model: AQARA_LEAK, name: "Washing Machine Leak", area: "bathroom", labels: ["critical"] },
  { model: SONOS, name: "Living Room Sonos", area: "living_room" },
  { model: SONOS, name: "Kitchen Sonos", area: "kitchen" },
  { model: SONOS, name: "Bedroom Sonos", area: "bedroom" },
  { model: RADIATOR, name: "Bedroom Radiator", area: "bedroom" },
  { model: RADIATOR, name: "Bathroom Radiator", area: "bathroom" },
  { model: RADIATOR, name: "Office Radiator", area: "office" },
  { model: BLIND, name: "Living Room Blind", area: "living_room" },
  { model: BLIND, name: "Bedroom Blind", area: "bedroom" },
  { model: HEAT_PUMP, name: "Heat Pump", area: "garage", labels: ["critical", "energy"] },
  { model: INVERTER, name: "Solar Inverter", area: "garage", labels: ["energy"] },
  { model: GRID_METER, name: "Electricity Meter", area: "hallway", labels: ["energy"] },
  { model: VACUUM, name: "Roborock", area: "kitchen" },
  { model: PHONE, name: "Pixel Anna", area: null },
  { model: PHONE, name: "Pixel Ben", area: null },
  { model: WEATHER_SERVICE, name: "Forecast Home", area: null },
  { model: SUN_SERVICE, name: "Sun", area: null },
  { model: POWER_STRIP, name: "Garden Strip", area: "garden" },
  { model: OUTLET, name: "Fountain", area: null, parent: "Garden Strip" },
];

const ZONE = still("zone", "2", {
  latitude: 52.37,
  longitude: 4.89,
  radius: 100,
  passive: false,
  persons: ["person.anna", "person.ben"],
  editable: true,
  icon: "mdi:home",
});

const SUN = still("sun", "above_horizon", { next_dawn: "2026-11-25T06:38:29+00:00", elevation: 16.92, rising: true });

/** The first four stand in a dump that is read while Home Assistant is still starting. */
export const LONE_ENTITIES: readonly LonePlan[] = [
  { entityId: "zone.home", name: "Home", integration: "zone", kind: ZONE, registered: false },
  {
    entityId: "person.anna",
    name: "Anna",
    integration: "person",
    kind: presence("person", { editable: true, id: "anna", source: "device_tracker.pixel_anna" }),
    registered: true,
  },
  {
    entityId: "person.ben",
    name: "Ben",
    integration: "person",
    kind: presence("person", { editable: true, id: "ben", source: "device_tracker.pixel_ben" }),
    registered: true,
  },
  {
    entityId: "input_number.heating_limit",
    name: "Heating limit",
    integration: "input_number",
    kind: still("input_number", "15.0", {
      min: 5,
      max: 25,
      step: 0.5,
      mode: "slider",
      editable: true,
      unit_of_measurement: "°C",
    }),
    registered: true,
  },
  { entityId: "sun.sun", name: "Sun", integration: "sun", kind: SUN, registered: false },
  {
    entityId: "input_boolean.holiday",
    name: "Holiday",
    integration: "input_boolean",
    kind: twoStates("input_boolean", null),
    registered: true,
  },
  {
    entityId: "sensor.waste_calendar",
    name: "Waste calendar",
    integration: "rest",
    kind: text("Paper, tomorrow", ["Glass, Friday", "Organic, today"]),
    registered: false,
  },
  {
    entityId: "sensor.train_delay",
    name: "Train delay",
    integration: "command_line",
    kind: gauge({ unit: "min", deviceClass: "duration", min: 0, max: 40, step: 4, decimals: 0 }),
    registered: false,
  },
  {
    entityId: "binary_sensor.workday",
    name: "Workday",
    integration: "template",
    kind: twoStates("binary_sensor", null),
    registered: false,
  },
];

/** Fills large homes: ten sensors on a node, as a monitoring integration has them. */
export const SENSOR_NODE: DeviceModel = {
  integration: "esphome",
  manufacturer: "Espressif",
  model: "Sensor node",
  entities: [
    { kind: temperature, name: "Temperature" },
    { kind: humidity, name: "Humidity" },
    { kind: power, name: "Power" },
    { kind: energy, name: "Energy" },
    { kind: voltage, name: "Voltage" },
    { kind: illuminance, name: "Illuminance" },
    { kind: pressure, name: "Pressure" },
    { kind: twoStates("binary_sensor", "motion"), name: "Motion" },
    { kind: lightSwitch, name: "Relay" },
    { kind: words(["idle", "sampling", "sleeping"]), name: "Mode" },
  ],
};
