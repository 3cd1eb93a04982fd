// SPDX-License-Identifier: Apache-2.0

/** The pictures that were drawn, in this browser's own database. */

function promise(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

let database = null;

function open() {
  database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("qalam", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("pictures", { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return database;
}

async function table(mode) {
  return (await open()).transaction("pictures", mode).objectStore("pictures");
}

/** All pictures, the newest first: {id, prompt, model, seed, size, picture}; ids sort by time. */
export async function pictures() {
  return (await promise((await table("readonly")).getAll())).toReversed();
}

/** Keeps a picture. */
export async function keepPicture(picture) {
  await promise((await table("readwrite")).put(picture));
}

/** Forgets a picture. */
export async function forgetPicture(id) {
  await promise((await table("readwrite")).delete(id));
}
