// Registers the service worker of a sealed build (scripts/seal.py). Where the browser allows none (http on a foreign host,
// some frames and private windows), the page works as without it.

const build = document.querySelector('meta[name="build"]')?.content;
const folder = new URL("./", document.baseURI);
const prefix = `nolabel ${folder.pathname} `;

// times in milliseconds between attempts to have this build kept
const WAITS = [2000, 4000, 8000, 16000, 32000, 64000, 128000];

const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));

// Tells the service worker, until the tab closes, that this build is in use.
function hold() {
  return navigator.locks.request(prefix + build, { mode: "shared" }, () => new Promise(() => {}));
}

// True once the cache of this build is complete: the service worker puts `index.html` there last.
async function isKept() {
  const cache = prefix + build;
  return (await caches.has(cache)) && !!(await (await caches.open(cache)).match(new URL("index.html", folder)));
}

// Has the service worker of this build installed. Registering it does not look for a newer one, and an installation fails as a
// whole if the server does not answer for one file, so both are asked for until the build is kept.
async function keep() {
  for (const wait of WAITS) {
    const registration = await navigator.serviceWorker.register("sw.js", { updateViaCache: "none" }).catch(() => undefined);
    if (await isKept()) return;
    await sleep(wait);
    if (await isKept()) return;
    await registration?.update().catch(() => {});
  }
}

// A development server has no service worker: that of a sealed build served there before has to go.
async function remove() {
  const registration = await navigator.serviceWorker.getRegistration(folder.href);
  if (registration?.scope !== folder.href) return;
  await registration.unregister();
  for (const name of await caches.keys()) if (name.startsWith(prefix)) await caches.delete(name);
}

try {
  if (build && navigator.serviceWorker) {
    hold().catch(() => {});
    await keep();
  } else if (navigator.serviceWorker) {
    await remove();
  }
} catch {
  // refused: nothing is kept, and nothing else depends on it
}
