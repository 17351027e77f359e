// Registers the service worker of a sealed build (scripts/seal.py). Where the browser allows none (http on a foreign host,
// some frames and private windows), the page works as without it.

const build = document.querySelector('meta[name="build"]')?.content;
const folder = new URL("./", document.baseURI);
const prefix = `nolabel ${folder.pathname} `;

// Tells the service worker, until the tab closes, that this build is in use.
function hold() {
  return navigator.locks.request(prefix + build, { mode: "shared" }, () => new Promise(() => {}));
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
    await navigator.serviceWorker.register("sw.js", { updateViaCache: "none" });
  } else if (navigator.serviceWorker) {
    await remove();
  }
} catch {
  // refused: nothing is kept, and nothing else depends on it
}
