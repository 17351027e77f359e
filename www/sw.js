// The service worker: keeps the whole build in one cache, so that a loaded page works without its server.
//
// A file whose name carries a digest never changes and comes from the cache. `index.html` comes from the server while that
// answers: a new build is seen on the next load, and since it names its files by their digests, two builds are never mixed. A
// cache is deleted once its build is neither the newest nor open in a tab (`offline.js` holds a lock for each tab).

// filled in by scripts/seal.py: the build, its files, and its data, which is kept once it has been fetched
const SEALED = null;

const FOLDER = new URL("./", self.location.href);
const PREFIX = `nolabel ${FOLDER.pathname} `;
const CACHE = PREFIX + SEALED?.build;
// time in milliseconds that the server has to answer before the cache does
const PATIENCE = 5000;

const address = (name) => new URL(name, FOLDER).href;

// Caches of this page, whatever the build.
async function builds() {
  return (await caches.keys()).filter((name) => name.startsWith(PREFIX));
}

// The file out of any build's cache: its name says what it holds.
async function cached(url) {
  for (const name of await builds()) {
    const found = await (await caches.open(name)).match(url, { ignoreVary: true });
    if (found) return found;
  }
  return undefined;
}

// Fetches a file. Some servers answer with a page of their own, or are in the middle of a deployment: what does not have the
// digest of its name is an error.
async function fetched(name) {
  const response = await fetch(address(name));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.clone().arrayBuffer()));
  const hex = [...digest.slice(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (!response.ok || !name.includes(hex)) throw new Error(`${name}: the server has another build`);
  return response;
}

async function fetchedIndex() {
  const response = await fetch(FOLDER, { cache: "no-cache" });
  const text = await response.text();
  if (!response.ok || !text.includes(`content="${SEALED.build}"`)) throw new Error("the server has another build");
  // a new response: browsers do not show one that was redirected
  return new Response(text, { headers: { "content-type": "text/html; charset=utf-8" } });
}

// Fills the cache of this build, or fails and leaves the service worker before in charge. `index.html` comes last: a cache
// that has it is complete.
async function install() {
  const cache = await caches.open(CACHE);
  const fill = async (name) => {
    const url = address(name);
    if (!(await cache.match(url))) await cache.put(url, (await cached(url)) ?? (await fetched(name)));
  };
  await Promise.all(SEALED.files.map(fill));
  for (const url of SEALED.data.map(address)) {
    const found = await cached(url);
    if (found) await cache.put(url, found);
  }
  await cache.put(address("index.html"), await fetchedIndex());
  await self.skipWaiting();
}

// Deletes the caches of builds that nobody uses. Another build that is being installed is left alone.
async function prune() {
  if (self.registration.installing || self.registration.waiting) return;
  const { held } = await navigator.locks.query();
  const used = new Set([CACHE, ...held.map((lock) => lock.name)]);
  for (const name of await builds()) if (!used.has(name)) await caches.delete(name);
}

async function page(request) {
  const own = async () => (await caches.open(CACHE)).match(address("index.html"));
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
  const answer = fetch(new Request(request, { cache: "no-cache" }));
  const response = await Promise.race([answer.catch(() => undefined), late]);
  // a gateway whose server is gone answers with an error of 500 or more
  if (response && response.status < 500) return response;
  return (await own()) ?? response ?? answer;
}

async function file(request) {
  return (await cached(request.url)) ?? fetch(request);
}

if (SEALED) {
  self.addEventListener("install", (event) => event.waitUntil(install()));
  self.addEventListener("activate", (event) => event.waitUntil(prune().then(() => self.clients.claim())));
  self.addEventListener("fetch", (event) => {
    const { request } = event;
    const url = new URL(request.url);
    const place = url.origin + url.pathname;
    if (request.method !== "GET") return;
    if (request.mode === "navigate" && [FOLDER.href, address("index.html")].includes(place)) {
      event.respondWith(page(request));
      event.waitUntil(prune());
    } else if (place.startsWith(FOLDER.href) && /-[0-9a-f]{16}\.\w+$/.test(url.pathname)) {
      event.respondWith(file(request));
    }
  });
}
