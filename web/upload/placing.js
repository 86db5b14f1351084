/** Where in a project files go that its scene was missing (pure). */

/**
 * Finds the files among `sources` that a scene misses.
 *
 * A file that is looked for inside the project goes there; one that is named by an absolute path goes into a folder of
 * its own, and `remap` leads there.  Beside each, files are taken along that differ from it only in a number: the other
 * frames of a sequence, the other tiles of a texture.
 *
 * @param {{name: string, path: string, place: string | null}[]} missing as the agent told
 * @param {{path: string}[]} sources
 * @param {string[]} taken paths of the project
 * @returns {{placed: {path: string, source: object}[], remap: object, climb: number}} `climb` is how many folders the
 *   whole project must move down, so that there is room for what lies beside it
 */
export function place(missing, sources, taken) {
  const placed = new Map();
  const remap = {};
  const folders = new Map();
  let climb = 0;
  for (const file of missing) {
    const wanted = file.place ?? file.path;
    const source = closest(wanted, sources);
    if (source === null) continue;
    const { folder, name } = split(wanted);
    let target = folder;
    if (file.place === null) {
      if (folder === "" || /^([A-Za-z]:)?$/.test(folder)) {
        target = freeFolder(folders, taken, file.path);
        remap[file.path] = `${target}/${name}`;
      } else {
        target = freeFolder(folders, taken, folder);
        remap[folder] = target;
      }
    } else {
      climb = Math.max(climb, file.place.split("/").filter((part) => part === "..").length);
    }
    for (const [path, one] of [[name, source], ...alike(source, sources)]) placed.set(target ? `${target}/${path}` : path, one);
  }
  return { placed: [...placed].map(([path, source]) => ({ path, source })), remap, climb };
}

/** Moves a path of a project that goes `climb` folders down, so that `..` leads to something. */
export function movedDown(path, climb) {
  const parts = [...Array(climb).fill("project"), ...path.split("/")];
  const moved = [];
  for (const part of parts) {
    if (part === "..") moved.pop();
    else moved.push(part);
  }
  return moved.join("/");
}

/** The file of that name whose folders agree with what is wanted for longest. */
function closest(wanted, sources) {
  const parts = wanted.toLowerCase().split(/[\\/]/).reverse();
  let best = null;
  let bestLength = 0;
  for (const source of sources) {
    const own = source.path.toLowerCase().split("/").reverse();
    let length = 0;
    while (length < own.length && own[length] === parts[length]) length += 1;
    if (length > bestLength) [best, bestLength] = [source, length];
  }
  return best;
}

function alike(source, sources) {
  const { folder, name } = split(source.path);
  const pattern = name.replace(/\d+/g, "#");
  if (pattern === name) return [];
  return sources
    .map((one) => [split(one.path), one])
    .filter(([own, one]) => one !== source && own.folder === folder && own.name.replace(/\d+/g, "#") === pattern)
    .map(([own, one]) => [own.name, one]);
}

function split(path) {
  const end = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return { folder: end < 0 ? "" : path.slice(0, end), name: path.slice(end + 1) };
}

function freeFolder(folders, taken, wanted) {
  if (!folders.has(wanted)) {
    let number = folders.size + 1;
    while (taken.some((path) => path.startsWith(`added/${number}/`))) number += 1;
    while ([...folders.values()].includes(`added/${number}`)) number += 1;
    folders.set(wanted, `added/${number}`);
  }
  return folders.get(wanted);
}
