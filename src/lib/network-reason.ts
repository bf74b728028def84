import { messageOf } from "../domain/errors.ts";

/** A certificate of an authority that nobody told us of: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const UNKNOWN_AUTHORITY = /^(SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_)/;

/**
 * Why no answer came over HTTP. `fetch` says "fetch failed", and its cause tells why; of a certificate that nobody
 * vouches for Node tells with advice for its own command line.
 */
export function networkReason(error: unknown): string {
  const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = reason instanceof Error && "code" in reason ? String(reason.code) : "";
  if (UNKNOWN_AUTHORITY.test(code))
    return `its certificate is not trusted (${code}); NODE_EXTRA_CA_CERTS may name the file of an authority of your own`;
  return messageOf(reason) || code;
}
