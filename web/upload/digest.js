/** SHA-256, by the browser where it does that: over plain HTTP from another machine it does not. */

/**
 * Returns the digest of bytes in hexadecimal.
 *
 * @param {Uint8Array} bytes
 * @param {SubtleCrypto | undefined} subtle
 */
export async function digestOf(bytes, subtle = globalThis.crypto?.subtle) {
  return hex(subtle ? new Uint8Array(await subtle.digest("SHA-256", bytes)) : (await pure())(bytes));
}

async function pure() {
  const { sha256 } = await import("../vendor/noble-hashes/sha2.js");
  return sha256;
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
