/**
 * Reads ZIP files in the browser, so that the coordinator never unpacks anything: the list of files at the end of the
 * archive, and each file's bytes when they are wanted.  PKWARE's APPNOTE 6.3.10 has the format.
 */
import { FileSource, MOST_FILES, PIECE_BYTES, Unusable } from "./sources.js";

const END = 0x06054b50;
const END_64 = 0x06064b50;
const END_64_LOCATOR = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;

/** The list of files of an archive with 200,000 long names. */
const MOST_LIST_BYTES = 128 * 1024 * 1024;

const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 0x1;
const UTF_8 = 0x800;
const SYMBOLIC_LINK = 0xa000;

/** IBM code page 437 from 0x80 on: names in archives that do not say how they are written. */
const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** A file in an archive. */
export class ZipSource extends FileSource {
  #archive;
  #entry;

  constructor(archive, entry) {
    super(entry.path, { size: entry.size });
    this.#archive = archive;
    this.#entry = entry;
  }

  async *pieces() {
    const packed = await this.#packed();
    if (this.#entry.method === STORED) {
      for (let start = 0; start < this.size; start += PIECE_BYTES) yield packed.slice(start, start + PIECE_BYTES);
      return;
    }
    let parts = [];
    let held = 0;
    let total = 0;
    for await (const part of this.#inflated(packed)) {
      total += part.length;
      if (total > this.size) throw damaged(this.path);
      let rest = part;
      while (held + rest.length >= PIECE_BYTES) {
        const room = PIECE_BYTES - held;
        yield new Blob([...parts, rest.subarray(0, room)]);
        rest = rest.subarray(room);
        parts = [];
        held = 0;
      }
      if (rest.length > 0) parts.push(rest);
      held += rest.length;
    }
    if (total !== this.size) throw damaged(this.path);
    if (held > 0) yield new Blob(parts);
  }

  async head(length) {
    const packed = await this.#packed();
    if (this.#entry.method === STORED) return new Uint8Array(await packed.slice(0, length).arrayBuffer());
    const start = new Uint8Array(Math.min(length, this.size));
    let filled = 0;
    for await (const part of this.#inflated(packed)) {
      start.set(part.subarray(0, start.length - filled), filled);
      filled = Math.min(start.length, filled + part.length);
      if (filled === start.length) break;
    }
    return start.subarray(0, filled);
  }

  async *#inflated(packed) {
    const reader = packed.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        yield value;
      }
    } catch (error) {
      throw error instanceof TypeError ? damaged(this.path) : error;
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  /** Its bytes as they are in the archive. */
  async #packed() {
    const { offset, packedSize } = this.#entry;
    const head = await view(this.#archive, offset, LOCAL_BYTES);
    if (head.byteLength < LOCAL_BYTES || head.getUint32(0, true) !== LOCAL) throw damaged(this.path);
    const start = offset + LOCAL_BYTES + head.getUint16(26, true) + head.getUint16(28, true);
    if (start + packedSize > this.#archive.size) throw damaged(this.path);
    return this.#archive.slice(start, start + packedSize);
  }
}

/** Resolves to the sources of an archive's files. */
export async function readZip(archive) {
  const { count, offset, size, shift } = await findList(archive);
  if (count > MOST_FILES || size > MOST_LIST_BYTES) {
    throw new Unusable(`${archive.name} has more files than the farm takes. Put one project into it.`);
  }
  const list = await view(archive, offset + shift, size);
  const sources = [];
  let place = 0;
  for (let number = 0; number < count; number += 1) {
    if (place + ENTRY_BYTES > list.byteLength || list.getUint32(place, true) !== ENTRY) throw damaged(archive.name);
    const { entry, length } = readEntry(list, place, shift);
    place += length;
    if (entry !== null) sources.push(new ZipSource(archive, entry));
  }
  return sources;
}

async function findList(archive) {
  const from = Math.max(0, archive.size - END_BYTES - 0xffff);
  const tail = await view(archive, from, archive.size - from);
  for (let place = tail.byteLength - END_BYTES; place >= 0; place -= 1) {
    if (tail.getUint32(place, true) !== END || place + END_BYTES + tail.getUint16(place + 20, true) > tail.byteLength) continue;
    let [count, size, offset] = [tail.getUint16(place + 10, true), tail.getUint32(place + 12, true), tail.getUint32(place + 16, true)];
    let end = from + place;
    if (count === 0xffff || size === 0xffffffff || offset === 0xffffffff) {
      const large = await findLargeList(archive, end);
      if (large !== null) ({ count, size, offset, end } = large);
    }
    // Programs may have been put before the archive: what it says of places counts from its own beginning.
    const shift = end - size - offset;
    if (shift < 0) throw damaged(archive.name);
    return { count, size, offset, shift };
  }
  throw new Unusable(`${archive.name} is no ZIP file, or its end is missing: make it anew.`);
}

async function findLargeList(archive, end) {
  const locator = await view(archive, Math.max(0, end - LOCATOR_BYTES), LOCATOR_BYTES);
  if (locator.byteLength < LOCATOR_BYTES || locator.getUint32(0, true) !== END_64_LOCATOR) return null;
  const at = Number(locator.getBigUint64(8, true));
  const record = await view(archive, at, 56);
  if (record.byteLength < 56 || record.getUint32(0, true) !== END_64) throw damaged(archive.name);
  return {
    count: Number(record.getBigUint64(32, true)),
    size: Number(record.getBigUint64(40, true)),
    offset: Number(record.getBigUint64(48, true)),
    end: at,
  };
}

function readEntry(list, place, shift) {
  const flags = list.getUint16(place + 8, true);
  const method = list.getUint16(place + 10, true);
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((at) => list.getUint16(place + at, true));
  const length = ENTRY_BYTES + nameLength + extraLength + commentLength;
  if (place + length > list.byteLength) throw new Unusable("The ZIP file is damaged: make it anew.");
  const bytes = new Uint8Array(list.buffer, list.byteOffset + place + ENTRY_BYTES, nameLength);
  const path = nameOf(bytes, (flags & UTF_8) !== 0).replaceAll("\\", "/");
  const isLink = ((list.getUint32(place + 38, true) >>> 16) & 0xf000) === SYMBOLIC_LINK;
  if (path.endsWith("/") || isLink) return { entry: null, length };
  checkPath(path);
  if (flags & ENCRYPTED) throw new Unusable(`${path} is protected by a password. Make the ZIP file without one.`);
  if (method !== STORED && method !== DEFLATED) {
    throw new Unusable(`${path} is compressed in a way that browsers cannot read. Make an ordinary ZIP file.`);
  }
  const sizes = [list.getUint32(place + 24, true), list.getUint32(place + 20, true), list.getUint32(place + 42, true)];
  const [size, packedSize, offset] = largeValues(list, place + ENTRY_BYTES + nameLength, extraLength, sizes);
  if (method === STORED && size !== packedSize) throw damaged(path);
  return { entry: { path, method, size, packedSize, offset: offset + shift }, length };
}

/** ZIP64: values that do not fit stand in an extra field, in this order, those only. */
function largeValues(list, start, length, values) {
  if (!values.includes(0xffffffff)) return values;
  let place = start;
  while (place + 4 <= start + length) {
    const [kind, bytes] = [list.getUint16(place, true), list.getUint16(place + 2, true)];
    if (kind === 1) {
      let at = place + 4;
      return values.map((value) => {
        if (value !== 0xffffffff || at + 8 > place + 4 + bytes) return value;
        at += 8;
        return Number(list.getBigUint64(at - 8, true));
      });
    }
    place += 4 + bytes;
  }
  return values;
}

function nameOf(bytes, isUtf8) {
  try {
    // Many that do not say so write UTF-8 all the same, and what is not does hardly ever look like it.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    if (isUtf8) throw new Unusable("A name in the ZIP file is damaged: make it anew.");
    return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : CP437[byte - 0x80])).join("");
  }
}

function checkPath(path) {
  const isBad = path.startsWith("/") || /^[A-Za-z]:/.test(path) || path.split("/").some((part) => ["", ".", ".."].includes(part));
  if (isBad) throw new Unusable(`“${path}” in the ZIP file leads out of it. Make a ZIP file of the project’s folder.`);
}

async function view(archive, start, length) {
  return new DataView(await archive.slice(start, start + length).arrayBuffer());
}

function damaged(name) {
  return new Unusable(`${name} is damaged in the ZIP file: make it anew.`);
}
