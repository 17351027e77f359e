//! A file of the page's own server, read while it arrives and unpacked where it is gzip.

use std::io::Write as _;

use flate2::write::MultiGzDecoder;
use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Response};

use super::page::scope;
use crate::error::{Error, Result};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = fetch)]
    fn fetch_as(address: &str, how: &JsValue) -> Promise;
}

/// Whether the server has such a file, without fetching it. Some servers answer whatever they do not know with a page.
pub(super) async fn is_there(address: &str) -> bool {
    let how = js_sys::Object::new();
    // setting a property of a fresh object cannot fail
    let _ = Reflect::set(&how, &"method".into(), &"HEAD".into());
    let answer = JsFuture::from(fetch_as(address, &how)).await;
    let response = answer.ok().and_then(|answer| answer.dyn_into::<Response>().ok());
    response.is_some_and(|response| {
        let kind = response.headers().get("content-type").ok().flatten().unwrap_or_default();
        response.ok() && !kind.contains("html")
    })
}

/// A file on its way.
pub(super) struct Download {
    /// For people: `the training images`.
    what: &'static str,
    reader: ReadableStreamDefaultReader,
    unpack: Unpack,
    ended: bool,
}

/// Whether the bytes are packed: some hosts send `.gz` files as such, others tell the browser to unpack them.
enum Unpack {
    /// The first bytes, too few to say.
    Unknown(Vec<u8>),
    Plain,
    Gzip(MultiGzDecoder<Vec<u8>>),
}

impl Download {
    /// Asks for the file at `address`, relative to the worker.
    pub(super) async fn open(what: &'static str, address: &str) -> Result<Self> {
        let offline =
            |_| failed(what, "the connection failed", "Check that the page's server still runs, then try again.");
        let answer = JsFuture::from(scope().fetch_with_str(address)).await.map_err(offline)?;
        let response: Response = answer.dyn_into().map_err(offline)?;
        if !response.ok() {
            let status = format!("HTTP {} for {address}", response.status());
            return Err(failed(what, &status, "Run `make data` and build the page again."));
        }
        let body = response
            .body()
            .ok_or_else(|| failed(what, "the answer is empty", "Run `make data` and build the page again."))?;
        let reader = body.get_reader().dyn_into().map_err(|_| offline(JsValue::NULL))?;
        Ok(Self { what, reader, unpack: Unpack::Unknown(Vec::new()), ended: false })
    }

    /// The next unpacked bytes, possibly none yet; nothing at the end of a whole file.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        let broke =
            |_| failed(self.what, "the connection broke", "Check that the page's server still runs, then try again.");
        let read: Promise = self.reader.read();
        let result = JsFuture::from(read).await.map_err(broke)?;
        let done = Reflect::get(&result, &"done".into()).map_err(broke)?.is_truthy();
        if done {
            self.ended = true;
            return self.unpack.finish().map(Some).map_err(|_| damaged(self.what));
        }
        let chunk: Uint8Array = Reflect::get(&result, &"value".into()).map_err(broke)?.dyn_into().map_err(broke)?;
        self.unpack.feed(chunk.to_vec()).map(Some).map_err(|_| damaged(self.what))
    }

    /// For people: what is being fetched.
    pub(super) fn what(&self) -> &'static str {
        self.what
    }
}

impl Drop for Download {
    /// Nobody reads on: the connection need not stay open.
    fn drop(&mut self) {
        if !self.ended {
            drop(self.reader.cancel());
        }
    }
}

impl Unpack {
    fn feed(&mut self, chunk: Vec<u8>) -> std::io::Result<Vec<u8>> {
        match self {
            Unpack::Plain => Ok(chunk),
            Unpack::Gzip(decoder) => {
                decoder.write_all(&chunk)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Unpack::Unknown(start) => {
                start.extend(chunk);
                if start.len() < GZIP_MAGIC.len() {
                    return Ok(Vec::new());
                }
                let start = std::mem::take(start);
                *self = if start.starts_with(&GZIP_MAGIC) {
                    Unpack::Gzip(MultiGzDecoder::new(Vec::new()))
                } else {
                    Unpack::Plain
                };
                self.feed(start)
            }
        }
    }

    /// What the decoder still held back. A packed file that ends before its checksum is an error.
    fn finish(&mut self) -> std::io::Result<Vec<u8>> {
        match self {
            Unpack::Plain => Ok(Vec::new()),
            Unpack::Unknown(_) => Err(std::io::ErrorKind::UnexpectedEof.into()),
            Unpack::Gzip(decoder) => {
                decoder.try_finish()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
        }
    }
}

/// A file that did not come.
fn failed(what: &str, why: &str, remedy: &str) -> Error {
    Error::Data(format!("The page could not fetch {what}: {why}. {remedy}"))
}

/// A file that came and is not what it should be.
pub(super) fn damaged(what: &str) -> Error {
    Error::Data(format!(
        "What the server sent as {what} is damaged or cut short. Run `make data` and build the page again."
    ))
}
