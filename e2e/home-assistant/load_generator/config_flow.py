"""Turns the YAML configuration into a config entry, since only those have devices."""

from homeassistant.config_entries import ConfigFlow


class LoadGeneratorFlow(ConfigFlow, domain="load_generator"):
    VERSION = 1

    async def async_step_import(self, sizes):
        await self.async_set_unique_id("load_generator")
        self._abort_if_unique_id_configured(updates=sizes)
        return self.async_create_entry(title="Load generator", data=sizes)
