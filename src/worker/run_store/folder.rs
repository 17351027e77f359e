//! Bindings to a folder of the browser's private file system (OPFS). They are declared here, not taken from web-sys, so that
//! slow calls are `async fn`.

use js_sys::{ArrayBuffer, AsyncIterator, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::error::{Error, Result};
use crate::worker::page::scope;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = StorageManager)]
    type Storage;
    #[wasm_bindgen(method, catch, js_name = getDirectory)]
    async fn root(this: &Storage) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = FileSystemDirectoryHandle)]
    type Directory;
    #[wasm_bindgen(method, catch, js_name = getDirectoryHandle)]
    async fn directory(this: &Directory, name: &str, options: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getFileHandle)]
    async fn file(this: &Directory, name: &str, options: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = removeEntry)]
    async fn remove(this: &Directory, name: &str, options: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method)]
    fn keys(this: &Directory) -> AsyncIterator;

    #[wasm_bindgen(js_name = FileSystemFileHandle)]
    type Handle;
    #[wasm_bindgen(method, catch, js_name = getFile)]
    async fn content(this: &Handle) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = createSyncAccessHandle)]
    async fn access(this: &Handle) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = File)]
    type Content;
    #[wasm_bindgen(method, getter)]
    fn size(this: &Content) -> f64;
    #[wasm_bindgen(method, getter, js_name = lastModified)]
    fn modified(this: &Content) -> f64;
    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    async fn bytes(this: &Content) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = FileSystemSyncAccessHandle)]
    type Access;
    #[wasm_bindgen(method, catch)]
    fn truncate(this: &Access, size: f64) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn write(this: &Access, bytes: &[u8]) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn flush(this: &Access) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    fn close(this: &Access);
}

/// A folder of the private file system.
pub(super) struct Folder(Directory);

/// Exclusive access to a file, until it is dropped or the worker ends.
pub(super) struct FileLock(Access);

/// Contents of a file.
pub(super) struct StoredFile {
    pub(super) bytes: Vec<u8>,
    /// Time of the last change, in milliseconds since 1970.
    pub(super) modified: f64,
}

/// The reason why there is no file system for this site.
fn no_storage() -> Error {
    let reason = match scope().is_secure_context() {
        true => "this browser has no place for the files of a page",
        false => "the browser stores data only for pages loaded over https",
    };
    Error::Run(reason.into())
}

impl Folder {
    /// Opens the folder called `name` in the root of this site's file system; creates it if it is missing.
    pub(super) async fn at_root(name: &str) -> Result<Self> {
        let storage = Reflect::get(&scope().navigator(), &"storage".into()).ok().filter(JsValue::is_object);
        let storage = storage.filter(|storage| Reflect::has(storage, &"getDirectory".into()).unwrap_or(false));
        let root = storage.ok_or_else(no_storage)?.unchecked_into::<Storage>().root().await.map_err(refused)?;
        Self(root.unchecked_into()).folder(name).await
    }

    /// Opens the subfolder called `name`; creates it if it is missing.
    pub(super) async fn folder(&self, name: &str) -> Result<Self> {
        let found = self.0.directory(name, &option("create")).await.map_err(refused)?;
        Ok(Self(found.unchecked_into()))
    }

    /// Opens the subfolder called `name`, which must be there.
    pub(super) async fn existing(&self, name: &str) -> Result<Self> {
        let found = self.0.directory(name, &JsValue::UNDEFINED).await.map_err(refused)?;
        Ok(Self(found.unchecked_into()))
    }

    /// Names of all files and folders in it.
    pub(super) async fn names(&self) -> Result<Vec<String>> {
        let entries = self.0.keys();
        let mut names = Vec::new();
        loop {
            let next = JsFuture::from(entries.next().map_err(refused)?).await.map_err(refused)?;
            let value = Reflect::get(&next, &"value".into()).map_err(refused)?;
            match value.as_string() {
                Some(name) => names.push(name),
                None => return Ok(names),
            }
        }
    }

    /// Bytes of a file.
    pub(super) async fn size(&self, name: &str) -> Result<f64> {
        self.content(name).await.map(|content| content.size())
    }

    /// Reads a file of at most `limit` bytes.
    pub(super) async fn read(&self, name: &str, limit: u64) -> Result<StoredFile> {
        let content = self.content(name).await?;
        if content.size() > limit as f64 {
            return Err(Error::Run(format!("{name} is larger than any file of this page")));
        }
        let buffer: ArrayBuffer = content.bytes().await.map_err(refused)?.unchecked_into();
        Ok(StoredFile { bytes: Uint8Array::new(&buffer).to_vec(), modified: content.modified() })
    }

    /// Writes a file and flushes it to disk. Leaves no file on failure.
    pub(super) async fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let access = self.open(name).await.map_err(refused)?;
        let written = access.truncate(0.0).and_then(|()| access.write(bytes)).and_then(|count| {
            access.flush()?;
            Ok(count)
        });
        access.close();
        let failure = match written {
            Ok(count) if count == bytes.len() as f64 => return Ok(()),
            Ok(_) => Error::Run(FULL.into()),
            Err(error) => refused(error),
        };
        // the failure is reported even if the partial file cannot be removed
        let _ = self.remove(name).await;
        Err(failure)
    }

    /// Removes a file, or a folder with its contents.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        self.0.remove(name, &option("recursive")).await.map(drop).map_err(refused)
    }

    /// Locks a file. None if another tab holds the lock.
    pub(super) async fn lock(&self, name: &str) -> Result<Option<FileLock>> {
        match self.open(name).await {
            Ok(access) => Ok(Some(FileLock(access))),
            Err(error) if name_of(&error) == "NoModificationAllowedError" => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    async fn content(&self, name: &str) -> Result<Content> {
        let handle: Handle = self.0.file(name, &JsValue::UNDEFINED).await.map_err(refused)?.unchecked_into();
        handle.content().await.map(JsCast::unchecked_into).map_err(refused)
    }

    async fn open(&self, name: &str) -> Result<Access, JsValue> {
        let handle: Handle = self.0.file(name, &option("create")).await?.unchecked_into();
        handle.access().await.map(JsCast::unchecked_into)
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The reason of a failed write.
const FULL: &str = "there is no more room for this site";

/// True if an operation failed for want of room.
pub(super) fn is_full(error: &Error) -> bool {
    matches!(error, Error::Run(reason) if reason == FULL)
}

/// An options object `{name: true}`.
fn option(name: &str) -> JsValue {
    let options = Object::new();
    // setting a property of a fresh object cannot fail
    let _ = Reflect::set(&options, &name.into(), &true.into());
    options.into()
}

fn refused(error: JsValue) -> Error {
    Error::Run(match name_of(&error).as_str() {
        "QuotaExceededError" => FULL.into(),
        "SecurityError" | "NotAllowedError" => {
            "the browser does not let this page store data, as in a private window".into()
        }
        _ => text_of(&error, "message"),
    })
}

fn name_of(error: &JsValue) -> String {
    text_of(error, "name")
}

fn text_of(error: &JsValue, key: &str) -> String {
    Reflect::get(error, &key.into()).ok().and_then(|text| text.as_string()).unwrap_or_else(|| format!("{error:?}"))
}
