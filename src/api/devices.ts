import { AppError } from "../domain/errors.ts";
import type { HomeReader, HomeWriter, ManualDevice } from "../domain/home-store.ts";
import type { Api } from "./api.ts";
import { Device } from "./rows.ts";
import {
  answers,
  exactly,
  homeQuery,
  listAnswer,
  listBody,
  nullable,
  pageRequest,
  queryText,
  text,
} from "./schemas.ts";
import { Type } from "./type.ts";
import { NOT_BLANK } from "./validate.ts";

const tags = ["home"];
const params = exactly({ device_id: text("The device") });
const VALUE_MAX = 255;
const filled = (description: string) =>
  Type.String({ minLength: 1, maxLength: VALUE_MAX, pattern: NOT_BLANK, description });
const optional = (description: string) => Type.Optional(nullable(Type.String({ maxLength: VALUE_MAX, description })));

/** Devices: Home Assistant's own, and those added by hand. */
export function deviceRoutes(
  api: Api,
  home: Pick<HomeReader & HomeWriter, "devices" | "device" | "putManualDevice" | "deleteManualDevice">,
): void {
  api.get(
    "/api/devices",
    {
      schema: {
        tags,
        summary: "Devices",
        querystring: homeQuery({
          manufacturer: queryText("Maker, exactly"),
          model: queryText("Model, exactly"),
          area_id: queryText("Effective area"),
          integration: queryText("Integration, e.g. hue"),
          platform: queryText("The same as integration"),
          label: queryText("Label id"),
        }),
        response: answers({ 200: listAnswer("devices", Device) }),
      },
    },
    async ({ query }) => {
      const { manufacturer, model, label } = query;
      const integration = query.integration ?? query.platform;
      if (query.platform !== undefined && query.platform !== integration) {
        throw new AppError("invalid", "The query parameters integration and platform mean the same and must agree");
      }
      const filter = { ...pageRequest(query), manufacturer, model, label, integration, areaId: query.area_id };
      return listBody("devices", home.devices(filter), filter.limit);
    },
  );

  api.get(
    "/api/devices/:device_id",
    { schema: { tags, summary: "One device", params, response: answers({ 200: Device }, 404) } },
    async ({ params }) => {
      const device = home.device(params.device_id);
      if (!device) throw new AppError("not_found", `Cannot find device "${params.device_id}"`);
      return device;
    },
  );

  api.post(
    "/api/devices",
    {
      schema: {
        tags,
        summary: "Add or update a device by hand",
        description: "200 when it was there. Home Assistant's own devices are refused (409).",
        body: exactly({
          device_id: filled("Any id that is not taken"),
          name: filled("Name"),
          manufacturer: optional("Maker"),
          model: optional("Model"),
          sw_version: optional("Firmware"),
          area_id: optional("Area; Home Assistant need not know it"),
          integration: optional("Integration"),
        }),
        response: answers({ 200: Device, 201: Device }, 409, 503),
      },
    },
    async ({ body }, reply) => {
      const isNew = await home.putManualDevice(body as ManualDevice);
      reply.code(isNew ? 201 : 200);
      if (isNew) reply.header("location", `/api/devices/${encodeURIComponent(body.device_id)}`);
      return home.device(body.device_id);
    },
  );

  api.delete(
    "/api/devices/:device_id",
    {
      schema: {
        tags,
        summary: "Remove a device that was added by hand",
        params,
        response: answers({ 204: Type.Null({ description: "Removed" }) }, 404, 409, 503),
      },
    },
    async ({ params }, reply) => {
      await home.deleteManualDevice(params.device_id);
      return reply.code(204).send();
    },
  );
}
