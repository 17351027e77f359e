//! Downloads from the page's own server, streamed and decompressed if they are gzip.

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
    fn fetch_with(address: &str, options: &JsValue) -> Promise;
}

/// True if the server has the file, by a HEAD request. An HTML answer counts as missing: some servers send a page for every
/// unknown address.
pub(super) async fn exists(address: &str) -> bool {
    let options = js_sys::Object::new();
    // setting a property of a fresh object cannot fail
    let _ = Reflect::set(&options, &"method".into(), &"HEAD".into());
    let answer = JsFuture::from(fetch_with(address, &options)).await;
    let response = answer.ok().and_then(|answer| answer.dyn_into::<Response>().ok());
    response.is_some_and(|response| {
        let kind = response.headers().get("content-type").ok().flatten().unwrap_or_default();
        response.ok() && !kind.contains("html")
    })
}

/// A download in progress.
pub(super) struct Download {
    /// Description for messages: `the training images`.
    what: &'static str,
    reader: ReadableStreamDefaultReader,
    decoder: Decoder,
    ended: bool,
}

/// Decoder of the bytes: some hosts send `.gz` files as they are, others have the browser decompress them.
enum Decoder {
    /// The first bytes, too few to tell.
    Unknown(Vec<u8>),
    Plain,
    Gzip(MultiGzDecoder<Vec<u8>>),
}

impl Download {
    /// Requests the file at `address`, relative to the worker.
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
        Ok(Self { what, reader, decoder: Decoder::Unknown(Vec::new()), ended: false })
    }

    /// The next decompressed bytes, possibly empty. None after the end of a complete file.
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
            return self.decoder.finish().map(Some).map_err(|_| damaged(self.what));
        }
        let chunk: Uint8Array = Reflect::get(&result, &"value".into()).map_err(broke)?.dyn_into().map_err(broke)?;
        self.decoder.feed(chunk.to_vec()).map(Some).map_err(|_| damaged(self.what))
    }

    /// Description for messages.
    pub(super) fn what(&self) -> &'static str {
        self.what
    }
}

impl Drop for Download {
    /// Closes the connection of an unfinished download.
    fn drop(&mut self) {
        if !self.ended {
            drop(self.reader.cancel());
        }
    }
}

impl Decoder {
    fn feed(&mut self, chunk: Vec<u8>) -> std::io::Result<Vec<u8>> {
        match self {
            Decoder::Plain => Ok(chunk),
            Decoder::Gzip(decoder) => {
                decoder.write_all(&chunk)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Decoder::Unknown(start) => {
                start.extend(chunk);
                if start.len() < GZIP_MAGIC.len() {
                    return Ok(Vec::new());
                }
                let start = std::mem::take(start);
                *self = if start.starts_with(&GZIP_MAGIC) {
                    Decoder::Gzip(MultiGzDecoder::new(Vec::new()))
                } else {
                    Decoder::Plain
                };
                self.feed(start)
            }
        }
    }

    /// The remaining bytes. A gzip file that ends before its checksum is an error.
    fn finish(&mut self) -> std::io::Result<Vec<u8>> {
        match self {
            Decoder::Plain => Ok(Vec::new()),
            Decoder::Unknown(_) => Err(std::io::ErrorKind::UnexpectedEof.into()),
            Decoder::Gzip(decoder) => {
                decoder.try_finish()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
        }
    }
}

/// The error of a failed download.
fn failed(what: &str, why: &str, remedy: &str) -> Error {
    Error::Data(format!("The page could not fetch {what}: {why}. {remedy}"))
}

/// The error of a damaged file.
pub(super) fn damaged(what: &str) -> Error {
    Error::Data(format!(
        "What the server sent as {what} is damaged or cut short. Run `make data` and build the page again."
    ))
}
