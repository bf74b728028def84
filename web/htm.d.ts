// The service serves the library of that name under this one. Its own types know only the CommonJS form.
declare const htm: {
  bind<Node>(h: (...parts: never[]) => Node): (texts: TemplateStringsArray, ...values: unknown[]) => Node;
};
export default htm;
