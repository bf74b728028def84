import type { Setup } from "../domain/setup.ts";
import type { Api } from "./api.ts";
import { answers, exactly, nullable, nullableText, text, VALUE_LENGTH_MAX } from "./schemas.ts";
import { Type } from "./type.ts";

const tags = ["service"];
/** Home Assistant's have some 180 characters. */
const TOKEN_LENGTH_MAX = 4_096;

const Status = exactly({
  set_by: nullable(Type.Enum(["environment", "supervisor", "dashboard"])),
  url: nullableText("Where Home Assistant is; null: nobody has said"),
  verify_ssl: Type.Boolean({ description: "Its certificate must be one that somebody vouches for" }),
  is_open: Type.Boolean({ description: "A Home Assistant can be entered now" }),
  reason: nullableText("Why none can; null: one can"),
  demo: nullable(Type.Enum(["command", "dashboard"])),
});
const Starts = Type.Null({ description: "The program starts again, within a second or two" });

/** The first run: where Home Assistant is, told to a program that nobody has configured. */
export function setupRoutes(api: Api, setup: Setup): void {
  api.get(
    "/api/v1/setup",
    {
      schema: {
        tags,
        summary: "Who says where Home Assistant is",
        description: "set_by is null where nobody does, demo where this is none.",
        response: answers({ 200: Status }),
      },
    },
    async () => {
      const { setBy, url, verifySsl, closed, demo } = setup.status();
      return { set_by: setBy, url, verify_ssl: verifySsl, is_open: closed === null, reason: closed, demo };
    },
  );

  api.post(
    "/api/v1/setup/home-assistant",
    {
      schema: {
        tags,
        summary: "Enter a Home Assistant",
        description:
          "It is tried first. What lets us in is kept in the data directory, and the program starts again with it. " +
          "For a program without one, or whose one was entered so and is not connected.",
        body: exactly({
          url: Type.String({
            minLength: 1,
            maxLength: VALUE_LENGTH_MAX,
            description: "As HA_URL",
            examples: ["http://homeassistant.local:8123"],
          }),
          token: Type.String({
            minLength: 1,
            maxLength: TOKEN_LENGTH_MAX,
            description: "A long-lived access token",
            writeOnly: true,
          }),
          verify_ssl: Type.Optional(
            Type.Boolean({
              default: true,
              description: "False accepts a certificate that nobody vouches for; HA_VERIFY_SSL counts before it",
            }),
          ),
        }),
        response: answers(
          {
            200: exactly({
              version: text("Of this Home Assistant"),
              name: nullableText("What its owner calls the home"),
              is_admin: Type.Boolean({ description: "The token is an administrator's: integrations can be read, too" }),
            }),
          },
          409,
          503,
        ),
      },
    },
    async ({ body: { url, token, verify_ssl = true } }) => {
      const { version, name, isAdmin } = await setup.connect({
        url: url.trim(),
        token: token.trim(),
        verifySsl: verify_ssl,
      });
      return { version, name, is_admin: isAdmin };
    },
  );

  api.post(
    "/api/v1/setup/demo",
    {
      schema: {
        tags,
        summary: "Go on as a demo, until it is ended",
        description: "For a program without a Home Assistant. The demo's data are in a folder of their own.",
        response: answers({ 202: Starts }, 409, 503),
      },
    },
    async (_request, reply) => {
      setup.startDemo();
      return reply.code(202).send();
    },
  );

  api.delete(
    "/api/v1/setup/demo",
    {
      schema: {
        tags,
        summary: "End the demo that was started here",
        response: answers({ 202: Starts }, 409, 503),
      },
    },
    async (_request, reply) => {
      setup.endDemo();
      return reply.code(202).send();
    },
  );
}
