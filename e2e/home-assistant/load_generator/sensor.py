"""Sensors that change only when a service of this integration tells them to."""

from homeassistant.components.sensor import SensorEntity
from homeassistant.util import dt as dt_util

# name, device class, state class, unit, first value, smallest step
KINDS = (
    ("Temperature", "temperature", "measurement", "°C", 20.0, 0.1),
    ("Power", "power", "measurement", "W", 400.0, 7.0),
    ("Energy", "energy", "total_increasing", "kWh", 1000.0, 0.01),
    ("Humidity", "humidity", "measurement", "%", 50.0, 0.5),
    ("Cost", "monetary", "total", "EUR", 5.0, 0.25),
)
# A total begins anew after so many changes.
CYCLE_CHANGES = 7


async def async_setup_entry(hass, entry, async_add_entities):
    sensors = [
        LoadSensor(device, index)
        for device in range(entry.data["devices"])
        for index in range(entry.data["sensors"])
    ]
    hass.data["load_generator"] = sensors
    async_add_entities(sensors)


class LoadSensor(SensorEntity):
    _attr_should_poll = False
    _attr_has_entity_name = True

    def __init__(self, device, index):
        kind, device_class, state_class, unit, value, step = KINDS[index % len(KINDS)]
        self.step = step
        self.rising = state_class == "total_increasing"
        self._attr_unique_id = f"load_{device}_{index}"
        self._attr_name = f"{kind} {index}"
        self._attr_device_class = device_class
        self._attr_state_class = state_class
        self._attr_native_unit_of_measurement = unit
        self._attr_native_value = value
        self.changes = 0
        if state_class == "total":
            self._attr_last_reset = dt_util.utcnow()
        self._attr_device_info = {
            "identifiers": {("load_generator", f"device_{device}")},
            "name": f"Load {device}",
            "manufacturer": "HA Ingestor",
            "model": "Load generator",
        }

    def change(self, random):
        """Writes a value that differs from the one before, so that each call is one recorded state."""
        steps = (1, 2, 3) if self.rising else (-3, -2, -1, 1, 2, 3)
        self.changes += 1
        before = self._attr_native_value
        if self._attr_state_class == "total" and self.changes % CYCLE_CHANGES == 0:
            self._attr_last_reset = dt_util.utcnow()
            before = 0
        after = round(before + self.step * random.choice(steps), 2)
        self._attr_native_value = after if after != self._attr_native_value else after + self.step
        self.async_write_ha_state()

    def set_available(self, available):
        self._attr_available = available
        self.async_write_ha_state()
