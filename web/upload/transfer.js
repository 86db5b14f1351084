/** Pieces of files to the coordinator: a few at a time, told byte by byte, tried again until the network is back. */
import { addresses, GATEWAY_STATUSES, refusal, Unreachable } from "../api.js";

/** Shorter pieces travel together, up to so many bytes and pieces at once (docs/PROTOCOL.md, Batches). */
const SMALL_BYTES = 1024 * 1024;
const BATCH_BYTES = 8 * 1024 * 1024;
const BATCH_PIECES = 2_000;
const HEAD_BYTES = 41;

const CONNECTIONS = 3;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 20_000;
const TRY_AGAIN_STATUSES = new Set([429, 500, ...GATEWAY_STATUSES]);

/**
 * Uploads pieces.
 *
 * @param {AsyncIterable<{sha256: string, piece: Blob}>} pieces
 * @param {{signal: AbortSignal, onSent: (bytes: number) => void, onWaiting: (isWaiting: boolean) => void}} options
 */
export async function transfer(pieces, { signal, onSent, onWaiting }) {
  const running = new Set();
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  let failure = null;
  let batch = [];
  let batchBytes = 0;

  async function start(url, method, body, bytes) {
    const sending = send(url, method, body, bytes, { signal: either, onSent, onWaiting }).catch((error) => {
      failure ??= error;
      failed.abort();
    });
    running.add(sending);
    sending.finally(() => running.delete(sending));
    while (running.size >= CONNECTIONS) await Promise.race(running);
    if (failure) throw failure;
  }

  async function flush() {
    if (batch.length === 0) return;
    const parts = batch.flatMap(({ sha256, piece }) => [headOf(sha256, piece.size), piece]);
    const bytes = batchBytes;
    [batch, batchBytes] = [[], 0];
    await start(addresses.batch(), "POST", new Blob(parts), bytes);
  }

  try {
    for await (const { sha256, piece } of pieces) {
      if (piece.size > SMALL_BYTES) {
        await start(addresses.blob(sha256), "PUT", piece, piece.size);
        continue;
      }
      if (batchBytes + piece.size > BATCH_BYTES || batch.length >= BATCH_PIECES) await flush();
      batch.push({ sha256, piece });
      batchBytes += piece.size;
    }
    await flush();
    await Promise.all(running);
    if (failure) throw failure;
  } catch (error) {
    failed.abort();
    await Promise.all(running);
    throw failure ?? error;
  }
}

/** Sends one body, however long the coordinator is away. */
async function send(url, method, body, bytes, { signal, onSent, onWaiting }) {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    let told = 0;
    const tell = (share) => {
      const now = Math.round(share * bytes);
      onSent(now - told);
      told = now;
    };
    try {
      await exchange(url, method, body, signal, tell);
      onWaiting(false);
      tell(1);
      return;
    } catch (error) {
      tell(0);
      const isPassing = error instanceof Unreachable || TRY_AGAIN_STATUSES.has(error.status);
      if (!isPassing || signal.aborted) throw error;
      onWaiting(true);
      await rest(wait, signal);
    }
  }
}

/** XMLHttpRequest, because fetch does not tell how much of a body was sent. */
function exchange(url, method, body, signal, tell) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    const away = () => reject(new Unreachable("The coordinator does not answer."));
    signal.throwIfAborted();
    signal.addEventListener("abort", abort);
    request.open(method, url);
    request.responseType = "json";
    request.setRequestHeader("X-Renderfarm", "1");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => tell(event.loaded / Math.max(event.total, 1)));
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(refusal(request.status, request.response));
    });
    request.addEventListener("error", away);
    request.addEventListener("timeout", away);
    request.addEventListener("abort", () => reject(signal.reason ?? new DOMException("Given up", "AbortError")));
    request.addEventListener("loadend", () => signal.removeEventListener("abort", abort));
    request.send(body);
  });
}

/** Waits, no longer than until the browser says that it is connected again. */
function rest(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    }
    window.addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}

/** Digest, 0 for "as it is", length once unpacked, length as sent. */
function headOf(sha256, size) {
  const head = new DataView(new ArrayBuffer(HEAD_BYTES));
  for (let place = 0; place < 32; place += 1) head.setUint8(place, Number.parseInt(sha256.slice(2 * place, 2 * place + 2), 16));
  head.setUint32(33, size);
  head.setUint32(37, size);
  return head.buffer;
}
