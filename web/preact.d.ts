// The service serves the library of that name under this one.
export { h, render } from "preact";
