/** What the first bytes of a .blend tell: which Blender saved it, and its thumbnail. */

const HEAD_BYTES = 256 * 1024;
const GZIP = [0x1f, 0x8b];
const ZSTANDARD = [0x28, 0xb5, 0x2f, 0xfd];
const LARGEST_THUMBNAIL = 512;

/**
 * Resolves to `{version, thumbnail}`, or to null when it is no Blender file.  Each is null where only unpacking tells;
 * a thumbnail is an ImageData.
 */
export async function readHeader(source) {
  const start = await source.head(HEAD_BYTES);
  if (begins(start, ZSTANDARD)) return { version: null, thumbnail: null };
  const head = begins(start, GZIP) ? await unzipped(start) : start;
  const text = String.fromCharCode(...head.subarray(0, 17));
  const old = /^BLENDER([-_])([vV])(\d)(\d\d)/.exec(text);
  const large = /^BLENDER17-\d\dv(\d\d)(\d\d)/.exec(text);
  if (old === null && large === null) return null;
  const version = old ? [Number(old[3]), Number(old[4])] : [Number(large[1]), Number(large[2])];
  const isSwapped = old !== null && old[2] === "V";
  return { version, thumbnail: isSwapped ? null : findThumbnail(head, old === null, old?.[1] === "_") };
}

/** Walks over the blocks at the beginning: the thumbnail, if there is one, is among the first. */
function findThumbnail(head, isLarge, is32Bit) {
  const data = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const headBytes = isLarge ? 32 : is32Bit ? 20 : 24;
  let place = isLarge ? 17 : 12;
  for (let block = 0; block < 8 && place + headBytes <= data.byteLength; block += 1) {
    const code = String.fromCharCode(...head.subarray(place, place + 4));
    const length = isLarge ? Number(data.getBigInt64(place + 16, true)) : data.getInt32(place + 4, true);
    if (code === "TEST") return thumbnailIn(data, place + headBytes, length);
    if (length < 0) return null;
    place += headBytes + length;
  }
  return null;
}

function thumbnailIn(data, start, length) {
  if (length < 8 || start + length > data.byteLength) return null;
  const [width, height] = [data.getInt32(start, true), data.getInt32(start + 4, true)];
  const fits = width > 0 && height > 0 && Math.max(width, height) <= LARGEST_THUMBNAIL && 8 + width * height * 4 <= length;
  if (!fits) return null;
  const image = new ImageData(width, height);
  // Blender keeps the lowest row first.
  for (let row = 0; row < height; row += 1) {
    const from = data.byteOffset + start + 8 + (height - 1 - row) * width * 4;
    image.data.set(new Uint8Array(data.buffer, from, width * 4), row * width * 4);
  }
  return image;
}

async function unzipped(start) {
  const reader = new Blob([start]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const head = new Uint8Array(HEAD_BYTES);
  let filled = 0;
  try {
    while (filled < HEAD_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      head.set(value.subarray(0, HEAD_BYTES - filled), filled);
      filled = Math.min(HEAD_BYTES, filled + value.length);
    }
    reader.cancel().catch(() => {});
  } catch {
    // The file goes on behind the bytes that were read.
  }
  return head.subarray(0, filled);
}

function begins(bytes, magic) {
  return magic.every((byte, place) => bytes[place] === byte);
}
