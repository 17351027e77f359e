#!/usr/bin/env python3
"""Seals a built page: files carry digests in their names, a content security policy holds, and the service worker knows its build.

    scripts/seal.py DIR [ADDRESS]

Every file but index.html and sw.js is renamed to NAME-DIGEST.EXT, with the first 16 hex digits of the SHA-256 of its content, and
what refers to it is rewritten. The build is named by the digest of all of them. ADDRESS is where the page will stand, for the
picture that a link to it shows: without it the picture has a relative address, which many chat programs do not follow.

A sealed page can be sealed again, after a file of it was changed.
"""

import base64
import hashlib
import json
import re
import sys
from pathlib import Path

# names that stay: the first is the page's address, the second has to be the same for every build
FIXED = ("index.html", "sw.js")
TEXT = (".html", ".js", ".json", ".svg")
DIGITS = 16
DIGEST = re.compile(r"-[0-9a-f]{%d}(?=[._])" % DIGITS)
SLOT = re.compile(r"^const SEALED = .*;$", re.MULTILINE)
# the line after which the tags of a sealed page stand, and these tags
CHARSET = '<meta charset="utf-8">'
OWN_TAGS = re.compile(r'\n *<meta (?:http-equiv="Content-Security-Policy"|name="build") content="[^"]*">')
# shown where the page is linked to, never loaded by it
PREVIEW = "page.png"


def digest(content):
    return hashlib.sha256(content).hexdigest()


def fill(text, value):
    """Sets the constant that a script leaves to this one."""
    return SLOT.sub(lambda _: f"const SEALED = {json.dumps(value, separators=(',', ':'))};", text)


def policy(html):
    """The content security policy of a page with these inline scripts and styles."""
    def hashes(tag):
        inline = re.findall(rf"<{tag}(?:\s(?![^>]*\bsrc=)[^>]*)?>(.*?)</{tag}>", html, re.DOTALL)
        return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in inline)

    rules = [
        "default-src 'none'",
        f"script-src 'self' 'wasm-unsafe-eval' {hashes('script')}",
        f"style-src {hashes('style')}",
        # a chart is drawn as an image on its way to a PNG file
        "img-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(rules)


class Page:
    """The files of a built page by their plain names, without digests."""

    def __init__(self, folder):
        self.folder = folder
        self.paths = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                plain = DIGEST.sub("", path.relative_to(folder).as_posix())
                if plain in self.paths:
                    sys.exit(f"{folder} holds {plain} twice, as {self.paths[plain].name} and {path.name}: build the page anew")
                self.paths[plain] = path
        if missing := [name for name in FIXED if name not in self.paths]:
            sys.exit(f"{folder} holds no built page: {' and '.join(missing)} is missing; `make page` builds one")
        # the engine asks for data by plain names, which `engine.js` translates
        self.data = [name for name in self.paths if name.startswith("data/")]
        self.texts = {name: self.unsealed(path) for name, path in self.paths.items() if path.suffix in TEXT}
        self.sealed = {}

    def unsealed(self, path):
        """A text file as it was before it was sealed."""
        text = path.read_text(encoding="utf-8")
        for plain, other in self.paths.items():
            named = other.relative_to(self.folder).as_posix()
            if named != plain:
                text = text.replace(named, plain)
        text = re.sub(rf'content="[^"]*/{re.escape(PREVIEW)}"', f'content="{PREVIEW}"', text)
        return fill(OWN_TAGS.sub("", text), None)

    def content(self, name):
        return self.texts[name].encode() if name in self.texts else self.paths[name].read_bytes()

    def build(self, address):
        """The name of the build: a digest over its address and the names and contents of all files."""
        lines = [f"{name} {digest(self.content(name))}\n" for name in sorted(self.paths)]
        return digest("".join([address, *lines]).encode())[:DIGITS]

    def refer(self, name, above=()):
        """Rewrites the references of a text file, after sealing what it refers to."""
        if name in above:
            sys.exit(f"{' and '.join(above)} refer to one another, so that none of them can have its digest in its name")
        for other in sorted(self.paths.keys() - self.data):
            pattern = re.compile(rf"(?<![\w/-])((?:\./)?){re.escape(other)}(?![\w-])")
            if other != name and other not in FIXED and pattern.search(self.texts[name]):
                new = self.seal(other, (*above, name))
                self.texts[name] = pattern.sub(lambda match: match[1] + new, self.texts[name])

    def seal(self, name, above=()):
        """Renames a file after its content; returns the new name."""
        if name not in self.sealed:
            if name in self.texts:
                self.refer(name, above)
            content = self.content(name)
            stem, dot, ending = name.rpartition(".")
            self.sealed[name] = f"{stem}-{digest(content)[:DIGITS]}{dot}{ending}"
            path = self.folder / self.sealed[name]
            if name in self.texts:
                self.paths[name].unlink()
                path.write_bytes(content)
            else:
                # data may be hard links to files elsewhere, so they are renamed and never written
                self.paths[name].rename(path)
        return self.sealed[name]

    def seal_index(self, build, address):
        self.refer("index.html")
        html = self.texts["index.html"]
        if address:
            preview = self.sealed[PREVIEW]
            html = html.replace(f'content="{preview}"', f'content="{address.rstrip("/")}/{preview}"')
        tags = [("http-equiv", "Content-Security-Policy", policy(html)), ("name", "build", build)]
        lines = "".join(f'\n    <meta {kind}="{name}" content="{content}">' for kind, name, content in tags)
        if CHARSET not in html:
            sys.exit(f"index.html has no {CHARSET}, after which its policy would stand")
        self.paths["index.html"].write_text(html.replace(CHARSET, CHARSET + lines, 1), encoding="utf-8")


def main(folder, address=""):
    page = Page(Path(folder))
    build = page.build(address)
    data = {name: page.seal(name) for name in page.data}
    page.texts["engine.js"] = fill(page.texts["engine.js"], {"build": build, "data": data})
    page.seal_index(build, address)
    for name in page.paths:
        if name not in FIXED:
            page.seal(name)
    files = [new for name, new in page.sealed.items() if name not in data and name != PREVIEW]
    worker = fill(page.texts["sw.js"], {"build": build, "files": files, "data": list(data.values())})
    page.paths["sw.js"].write_text(worker, encoding="utf-8")
    print(f"sealed {folder}: build {build}, {len(page.sealed)} files")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
