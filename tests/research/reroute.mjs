// Loaded before old releases of Context7's server, which have no setting for the address of their service.
const real = globalThis.fetch;
const base = process.env.CONTEXT7_API_URL;
globalThis.fetch = (address, options) => real(String(address).replace("https://context7.com/api", base), options);
