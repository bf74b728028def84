/** A line that is no point; the message has InfluxDB's own words. */
export class LineFault extends Error {}
