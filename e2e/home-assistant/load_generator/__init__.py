"""Changes sensors at a chosen rate, so that what listens to Home Assistant can be checked under load.

configuration.yaml:
    load_generator: {devices: 5, sensors: 8}    # sensors of each device

Services; run and burst answer with {"written": count} once all is written:
    load_generator.run {rate, seconds}          spread evenly
    load_generator.burst {count}                in one turn of the event loop
    load_generator.set_available {available}
"""

import asyncio
import random
import time

import voluptuous as vol

from homeassistant.config_entries import SOURCE_IMPORT
from homeassistant.core import SupportsResponse
import homeassistant.helpers.config_validation as cv

DOMAIN = "load_generator"
TURN_SECONDS = 0.02

SIZES = vol.Schema({vol.Required("devices"): cv.positive_int, vol.Required("sensors"): cv.positive_int})
CONFIG_SCHEMA = vol.Schema({DOMAIN: SIZES}, extra=vol.ALLOW_EXTRA)


async def async_setup(hass, config):
    source = random.Random(1)
    position = 0

    def change(count):
        nonlocal position
        sensors = hass.data[DOMAIN]
        for _ in range(count):
            sensors[position % len(sensors)].change(source)
            position += 1

    async def run(call):
        rate, seconds = call.data["rate"], call.data["seconds"]
        total, written, started = int(rate * seconds), 0, time.monotonic()
        while written < total:
            due = min(total, int((time.monotonic() - started) * rate))
            change(due - written)
            written = due
            await asyncio.sleep(TURN_SECONDS)
        return {"written": written}

    async def burst(call):
        change(call.data["count"])
        return {"written": call.data["count"]}

    async def set_available(call):
        for sensor in hass.data[DOMAIN]:
            sensor.set_available(call.data["available"])

    def register(name, handler, fields, response):
        hass.services.async_register(DOMAIN, name, handler, vol.Schema(fields), supports_response=response)

    positive = vol.All(vol.Coerce(float), vol.Range(min=0))
    register("run", run, {vol.Required("rate"): positive, vol.Required("seconds"): positive}, SupportsResponse.OPTIONAL)
    register("burst", burst, {vol.Required("count"): cv.positive_int}, SupportsResponse.OPTIONAL)
    register("set_available", set_available, {vol.Required("available"): cv.boolean}, SupportsResponse.NONE)

    flow = hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_IMPORT}, data=dict(config[DOMAIN]))
    hass.async_create_task(flow)
    return True


async def async_setup_entry(hass, entry):
    await hass.config_entries.async_forward_entry_setups(entry, ["sensor"])
    return True


async def async_unload_entry(hass, entry):
    return await hass.config_entries.async_unload_platforms(entry, ["sensor"])
