// The service serves the library of that name under this one.
export { default } from "uplot";
