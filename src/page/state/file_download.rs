//! Files handed to the visitor.

use js_sys::{Array, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Blob, HtmlAnchorElement, Url};

/// Time during which a downloaded file stays in memory for the browser to read.
const READ_WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

/// Saves bytes as a file. None if the browser refuses.
pub fn save(name: &str, bytes: &[u8]) -> Option<()> {
    let parts = Array::of1(&Uint8Array::from(bytes));
    let blob = Blob::new_with_u8_array_sequence(&parts).ok()?;
    let address = Url::create_object_url_with_blob(&blob).ok()?;
    save_address(name, &address)?;
    // an address that cannot be revoked lives until the page closes
    set_timeout(move || drop(Url::revoke_object_url(&address)), READ_WITHIN);
    Some(())
}

/// Saves what is at an address of this page by clicking a link to it, the only way that works in every browser.
pub fn save_address(name: &str, address: &str) -> Option<()> {
    let link: HtmlAnchorElement = document().create_element("a").ok()?.unchecked_into();
    link.set_href(address);
    link.set_download(name);
    link.click();
    Some(())
}
