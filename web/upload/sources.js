/** Files that a person dropped or picked: each is a source, with a path in the project and pieces that can be read again. */

/** Files travel in pieces of so many bytes: what a lost connection costs at most.  The coordinator takes up to 64 MiB. */
export const PIECE_BYTES = 16 * 1024 * 1024;

/** More than the coordinator takes in one project. */
export const MOST_FILES = 200_000;

/** What was dropped cannot be used; the text is a sentence that says why and what to do. */
export class Unusable extends Error {}

/** A file on this computer. */
export class FileSource {
  constructor(path, file) {
    this.path = path;
    this.size = file.size;
    this.file = file;
    /** What its pieces were found to be, once they were hashed. */
    this.blobs = null;
  }

  /** Yields its bytes in pieces, without reading them. */
  async *pieces() {
    for (let start = 0; start < this.size; start += PIECE_BYTES) yield this.file.slice(start, start + PIECE_BYTES);
  }

  /** Returns its first bytes. */
  async head(length) {
    return new Uint8Array(await this.file.slice(0, length).arrayBuffer());
  }
}

/** What a drop event brought.  To be called while the event is handled: later, browsers show nothing of it. */
export function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);
  return entries.length > 0 ? entries : [...transfer.files];
}

/** Resolves to the sources of what was dropped or picked, folders with all that is in them. */
export async function sourcesOf(entries) {
  const sources = [];
  for (const entry of entries) await gather(entry, sources);
  return sources;
}

async function gather(entry, sources) {
  if (sources.length > MOST_FILES) {
    throw new Unusable(`That is more than ${MOST_FILES.toLocaleString("en")} files. Drop the folder of one project.`);
  }
  if (entry instanceof File) {
    sources.push(new FileSource(entry.webkitRelativePath || entry.name, entry));
  } else if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => {
      throw new Unusable(`${entry.name} cannot be read. Has it been moved, or may you not open it?`);
    });
    sources.push(new FileSource(entry.fullPath.replace(/^\//, ""), file));
  } else if (entry.isDirectory && !isJunk(`${entry.name}/`)) {
    const reader = entry.createReader();
    for (;;) {
      // A hundred at a time, until there are none.
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) break;
      for (const inner of some) await gather(inner, sources);
    }
  }
}

/** Whether no scene needs such a file: what systems, version control and Blender's own backups leave in folders. */
export function isJunk(path) {
  return /(^|\/)(\.[^/]*|__MACOSX|Thumbs\.db|desktop\.ini)(\/|$)/i.test(path) || /\.blend\d+$/i.test(path);
}

/** Whether Blender would open it as a scene. */
export function isBlend(path) {
  return /\.blend$/i.test(path);
}

/** Takes junk away, and the one folder that all lies in; `title` is what that folder is called, or null. */
export function tidy(sources) {
  const kept = sources.filter((source) => !isJunk(source.path));
  const root = kept[0]?.path.split("/")[0];
  const wrapped = kept.length > 0 && kept.every((source) => source.path.startsWith(`${root}/`));
  if (wrapped) for (const source of kept) source.path = source.path.slice(root.length + 1);
  return { sources: kept, title: wrapped ? root : null };
}
