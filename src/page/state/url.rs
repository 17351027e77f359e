//! The page's address, whose query holds the settings: a link repeats the run.

use leptos::prelude::window;
use wasm_bindgen::JsValue;
use web_sys::UrlSearchParams;

/// Names and values in the query.
pub fn read() -> Vec<(String, String)> {
    let query = window().location().search().unwrap_or_default();
    let Ok(params) = UrlSearchParams::new_with_str(&query) else { return Vec::new() };
    let pairs = js_sys::try_iter(&params).ok().flatten().into_iter().flatten().flatten();
    let text = |pair: &js_sys::Array, at| pair.get(at).as_string().unwrap_or_default();
    pairs.map(|pair| js_sys::Array::from(&pair)).map(|pair| (text(&pair, 0), text(&pair, 1))).collect()
}

/// Replaces the query without a reload and without a new entry in the browser's history.
pub fn write(pairs: &[(String, String)]) {
    let Some(query) = query(pairs) else { return };
    if let Ok(history) = window().history() {
        // a page opened from a file must not change its address, and works without
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&query));
    }
}

/// The address of this page with these names and values in its query.
pub fn link(pairs: &[(String, String)]) -> Option<String> {
    let location = window().location();
    Some(location.origin().ok()? + &location.pathname().ok()? + &query(pairs)?)
}

fn query(pairs: &[(String, String)]) -> Option<String> {
    let params = UrlSearchParams::new().ok()?;
    pairs.iter().for_each(|(key, text)| params.append(key, text));
    Some(format!("?{}", String::from(params.to_string())))
}
