"""Sensors that change only when a service of this integration tells them to."""

from homeassistant.components.sensor import SensorEntity

# name, device class, state class, unit, first value, smallest step
KINDS = (
    ("Temperature", "temperature", "measurement", "°C", 20.0, 0.1),
    ("Power", "power", "measurement", "W", 400.0, 7.0),
    ("Energy", "energy", "total_increasing", "kWh", 1000.0, 0.01),
    ("Humidity", "humidity", "measurement", "%", 50.0, 0.5),
)


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
        self._attr_device_info = {
            "identifiers": {("load_generator", f"device_{device}")},
            "name": f"Load {device}",
            "manufacturer": "HA Ingestor",
            "model": "Load generator",
        }

    def change(self, random):
        """Writes a value that differs from the one before, so that each call is one recorded state."""
        steps = (1, 2, 3) if self.rising else (-3, -2, -1, 1, 2, 3)
        self._attr_native_value = round(self._attr_native_value + self.step * random.choice(steps), 2)
        self.async_write_ha_state()

    def set_available(self, available):
        self._attr_available = available
        self.async_write_ha_state()
