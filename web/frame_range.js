/** Frame ranges (docs/PROTOCOL.md) as lists of frame numbers. */

const RUN = /^(-?\d+)(?:-(-?\d+)(?::(\d+))?)?$/;

/** Returns the numbers of a job's frames, ascending.  The coordinator writes ranges as ascending runs, `1-9:2,20`. */
export function parseFrameRange(text) {
  const runs = text.split(",").map((run) => {
    const match = RUN.exec(run);
    if (!match) throw new Error(`“${run}” is no run of frames`);
    const [first, last, step] = [Number(match[1]), Number(match[2] ?? match[1]), Number(match[3] ?? 1)];
    return { first, step, count: Math.floor((last - first) / step) + 1 };
  });
  const frames = new Int32Array(runs.reduce((sum, run) => sum + run.count, 0));
  let index = 0;
  for (const { first, step, count } of runs) {
    for (let place = 0; place < count; place += 1) frames[index++] = first + place * step;
  }
  return frames;
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

/** How many frames a person’s range has, or null where it cannot be read; the coordinator says what is wrong with it. */
export function countFrames(text) {
  let count = 0;
  for (const run of text.replace(/\s/g, "").split(",")) {
    const match = /^(-?\d+)(?:-(-?\d+)(?:[:x](-?\d+))?)?$/.exec(run);
    if (!match) return null;
    const [first, last, step] = [Number(match[1]), Number(match[2] ?? match[1]), Number(match[3] ?? 1)];
    const number = Math.floor((last - first) / step) + 1;
    if (!(number >= 1)) return null;
    count += number;
  }
  return count;
}
