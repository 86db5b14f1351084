/** Frame ranges (docs/PROTOCOL.md) as lists of frame numbers.  The coordinator has checked the text before. */

const PART = /^(-?\d+)(?:-(-?\d+)(?:[:xX](-?\d+))?)?$/;

/** Returns the range's frame numbers in ascending order, the order in which they are rendered. */
export function parseFrameRange(text) {
  const parts = text
    .replaceAll(/\s/g, "")
    .split(",")
    .map((part) => {
      const match = PART.exec(part);
      if (!match) throw new Error(`“${part}” is no frame range`);
      const from = Number(match[1]);
      const to = Number(match[2] ?? from);
      const step = Math.abs(Number(match[3] ?? 1)) * Math.sign(to - from || 1);
      if (step === 0) throw new Error(`“${part}” has a step of zero`);
      return { from, step, count: Math.floor((to - from) / step) + 1 };
    });
  const frames = new Int32Array(parts.reduce((sum, part) => sum + part.count, 0));
  let index = 0;
  for (const { from, step, count } of parts) {
    for (let position = 0; position < count; position += 1) frames[index++] = from + position * step;
  }
  return frames.sort();
}

/** The place of `frame` in an ascending list, or where it would be inserted. */
export function placeOf(frames, frame) {
  let low = 0;
  let high = frames.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (frames[middle] < frame) low = middle + 1;
    else high = middle;
  }
  return low;
}
