import { pick, type Random } from "./random.ts";

export type Attributes = Readonly<Record<string, unknown>>;

/** What an entity shows: its state and the attributes that its kind gives (name and features are added elsewhere). */
export interface Reading {
  readonly state: string;
  readonly attributes: Attributes;
}

/** How one kind of entity looks and moves. `next` always differs from what it is given, so each step is an event. */
export interface Kind {
  readonly domain: string;
  readonly deviceClass: string | null;
  /** What the registry keeps of the entity's abilities; these attributes are there even while it is unavailable. */
  readonly capabilities: Attributes | null;
  readonly supportedFeatures: number | null;
  /** False for what only changes by the hand of a test: zones, the sun, persons. */
  readonly moves: boolean;
  first(random: Random): Reading;
  next(current: Reading, random: Random): Reading;
}

type Parts = Partial<Kind> & Pick<Kind, "domain" | "first">;

function kind(parts: Parts): Kind {
  return {
    deviceClass: null,
    capabilities: null,
    supportedFeatures: null,
    moves: parts.next !== undefined,
    next: (current) => current,
    ...parts,
  };
}

interface Gauge {
  readonly unit: string | null;
  readonly deviceClass: string | null;
  readonly min: number;
  readonly max: number;
  /** The largest step between two readings. */
  readonly step: number;
  readonly decimals: number;
}

/** A number that wanders between two bounds. */
export function gauge({ unit, deviceClass, min, max, step, decimals }: Gauge): Kind {
  const attributes: Attributes = {
    state_class: "measurement",
    ...(unit === null ? {} : { unit_of_measurement: unit }),
    ...(deviceClass === null ? {} : { device_class: deviceClass }),
  };
  const smallest = 10 ** -decimals;
  return kind({
    domain: "sensor",
    deviceClass,
    capabilities: { state_class: "measurement" },
    first: (random) => ({ state: (min + random() * (max - min)).toFixed(decimals), attributes }),
    next(current, random) {
      const before = Number(current.state);
      const from = Number.isFinite(before) ? before : (min + max) / 2;
      const wanted = from + (random() - 0.5) * 2 * step;
      let state = Math.min(max, Math.max(min, wanted)).toFixed(decimals);
      if (state === current.state)
        state = (from + smallest > max ? from - smallest : from + smallest).toFixed(decimals);
      return { state, attributes };
    },
  });
}

interface Meter {
  readonly unit: string;
  readonly deviceClass: string;
  readonly start: number;
  readonly step: number;
  readonly decimals: number;
  /** Where it begins again at 0, as a daily counter does. */
  readonly resetAt?: number;
}

/** A counter that only grows, or begins again at 0: state_class total_increasing. */
export function meter({ unit, deviceClass, start, step, decimals, resetAt = Number.POSITIVE_INFINITY }: Meter): Kind {
  const attributes: Attributes = {
    state_class: "total_increasing",
    unit_of_measurement: unit,
    device_class: deviceClass,
  };
  const smallest = 10 ** -decimals;
  return kind({
    domain: "sensor",
    deviceClass,
    capabilities: { state_class: "total_increasing" },
    first: (random) => ({ state: (start * (0.5 + random())).toFixed(decimals), attributes }),
    next(current, random) {
      const before = Number(current.state);
      const after = (Number.isFinite(before) ? before : start) + smallest + random() * step;
      return { state: (after >= resetAt ? 0 : after).toFixed(decimals), attributes };
    },
  });
}

/** One word of a list: modes, phases, tariffs (device_class enum). */
export function words(options: readonly string[]): Kind {
  const attributes: Attributes = { options, device_class: "enum" };
  return kind({
    domain: "sensor",
    deviceClass: "enum",
    capabilities: { options },
    first: (random) => ({ state: pick(random, options), attributes }),
    next: (current, random) => ({
      state: pick(
        random,
        options.filter((word) => word !== current.state),
      ),
      attributes,
    }),
  });
}

/** Free text without a class or a unit. */
export function text(first: string, others: readonly string[]): Kind {
  return kind({
    domain: "sensor",
    first: () => ({ state: first, attributes: {} }),
    next: (current, random) => ({
      state: pick(
        random,
        [first, ...others].filter((word) => word !== current.state),
      ),
      attributes: {},
    }),
  });
}

/** on and off, closed and open, or any other two states. */
export function twoStates(
  domain: string,
  deviceClass: string | null,
  [resting, active]: readonly [string, string] = ["off", "on"],
): Kind {
  const attributes: Attributes = deviceClass === null ? {} : { device_class: deviceClass };
  return kind({
    domain,
    deviceClass,
    first: (random) => ({ state: random() < 0.7 ? resting : active, attributes }),
    next: (current) => ({ state: current.state === active ? resting : active, attributes }),
  });
}

const LIGHT_CAPABILITIES: Attributes = {
  min_color_temp_kelvin: 2000,
  max_color_temp_kelvin: 6535,
  effect_list: ["off", "candle", "fire"],
  supported_color_modes: ["color_temp", "xy"],
};

const DARK: Reading = {
  state: "off",
  attributes: {
    ...LIGHT_CAPABILITIES,
    effect: null,
    color_mode: null,
    brightness: null,
    color_temp_kelvin: null,
    hs_color: null,
    rgb_color: null,
    xy_color: null,
  },
};

function litReading(random: Random): Reading {
  const warmth = 2000 + Math.floor(random() * 4535);
  return {
    state: "on",
    attributes: {
      ...LIGHT_CAPABILITIES,
      effect: "off",
      color_mode: "color_temp",
      brightness: 1 + Math.floor(random() * 255),
      color_temp_kelvin: warmth,
      hs_color: [28.4, Math.round(random() * 1000) / 10],
      rgb_color: [255, 160 + Math.floor(random() * 90), 90 + Math.floor(random() * 120)],
      xy_color: [0.38 + Math.round(random() * 100) / 1000, 0.39],
    },
  };
}

export const LIGHT = kind({
  domain: "light",
  capabilities: LIGHT_CAPABILITIES,
  supportedFeatures: 44,
  first: (random) => (random() < 0.6 ? DARK : litReading(random)),
  next: (current, random) => (current.state === "on" && random() < 0.5 ? DARK : litReading(random)),
});

const CLIMATE_CAPABILITIES: Attributes = {
  hvac_modes: ["off", "heat", "auto"],
  min_temp: 7,
  max_temp: 30,
  target_temp_step: 0.5,
};

function climateReading(random: Random): Reading {
  const current = 16 + Math.round(random() * 80) / 10;
  const wanted = 15 + Math.floor(random() * 16) / 2;
  return {
    state: "heat",
    attributes: {
      ...CLIMATE_CAPABILITIES,
      current_temperature: current,
      temperature: wanted,
      hvac_action: current < wanted ? "heating" : "idle",
    },
  };
}

export const CLIMATE = kind({
  domain: "climate",
  capabilities: CLIMATE_CAPABILITIES,
  supportedFeatures: 385,
  first: climateReading,
  next(current, random) {
    const reading = climateReading(random);
    const same = reading.attributes.current_temperature === current.attributes.current_temperature;
    return same ? { state: current.state === "off" ? "heat" : "off", attributes: reading.attributes } : reading;
  },
});

const TITLES = ["So What", "Blue in Green", "Naima", "Take Five", "Águas de Março", "Stolen Moments"];

function mediaReading(title: string, random: Random): Reading {
  return {
    state: "playing",
    attributes: {
      source_list: ["Line-in", "TV"],
      volume_level: Math.round(random() * 100) / 100,
      is_volume_muted: false,
      media_content_type: "music",
      media_duration: 180 + Math.floor(random() * 300),
      media_title: title,
      media_artist: "Various artists",
      shuffle: false,
      repeat: "off",
      entity_picture: "/api/media_player_proxy/simulated",
    },
  };
}

export const MEDIA_PLAYER = kind({
  domain: "media_player",
  deviceClass: "speaker",
  supportedFeatures: 4_127_295,
  first: () => ({ state: "idle", attributes: { source_list: ["Line-in", "TV"], device_class: "speaker" } }),
  next: (current, random) =>
    mediaReading(
      pick(
        random,
        TITLES.filter((title) => title !== current.attributes.media_title),
      ),
      random,
    ),
});

function coverReading(position: number): Reading {
  return {
    state: position === 0 ? "closed" : "open",
    attributes: { current_position: position, is_closed: position === 0, device_class: "shade" },
  };
}

export const COVER = kind({
  domain: "cover",
  deviceClass: "shade",
  supportedFeatures: 15,
  first: () => coverReading(100),
  next(current, random) {
    const position = Math.floor(random() * 11) * 10;
    return coverReading(position === current.attributes.current_position ? (position + 10) % 110 : position);
  },
});

const WEATHER = ["sunny", "partlycloudy", "cloudy", "rainy", "windy"];

export const WEATHER_REPORT = kind({
  domain: "weather",
  supportedFeatures: 2,
  first: () => ({ state: "cloudy", attributes: weatherAttributes(11.3) }),
  next: (current, random) => ({
    state: pick(
      random,
      WEATHER.filter((word) => word !== current.state),
    ),
    attributes: weatherAttributes(5 + Math.round(random() * 150) / 10),
  }),
});

function weatherAttributes(temperature: number): Attributes {
  return {
    temperature,
    temperature_unit: "°C",
    humidity: 81,
    pressure: 1013.2,
    pressure_unit: "hPa",
    wind_speed: 18.7,
    wind_speed_unit: "km/h",
    precipitation_unit: "mm",
    attribution: "Simulated: nothing here is a forecast",
  };
}

/** A state that stays as it is until a test changes it. */
export function still(domain: string, state: string, attributes: Attributes = {}): Kind {
  return kind({ domain, first: () => ({ state, attributes }) });
}

/** Somebody or something at home or away. */
export function presence(domain: "person" | "device_tracker", attributes: Attributes): Kind {
  const zones = ["home", "not_home", "Work"];
  return kind({
    domain,
    first: () => ({ state: "home", attributes }),
    next: (current, random) => ({
      state: pick(
        random,
        zones.filter((zone) => zone !== current.state),
      ),
      attributes,
    }),
  });
}

/** Attributes of a moment: the next one is always later. */
export const LAST_SEEN = kind({
  domain: "sensor",
  deviceClass: "timestamp",
  first: () => ({ state: "2026-11-01T00:00:00+00:00", attributes: { device_class: "timestamp" } }),
  next(current, random) {
    const before = Date.parse(current.state);
    const after = (Number.isNaN(before) ? Date.UTC(2026, 10, 1) : before) + 1000 * (1 + Math.floor(random() * 600));
    return { state: `${new Date(after).toISOString().slice(0, 19)}+00:00`, attributes: current.attributes };
  },
});
