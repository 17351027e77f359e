//! Messages as JavaScript values. Bytes travel as `Uint8Array`, everything else as plain objects.

use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

/// A message for `postMessage`.
///
/// # Errors
/// When the message holds an integer that JavaScript cannot hold (a seed above 2^53).
pub fn to_js<T: Serialize>(message: &T) -> Result<JsValue, String> {
    let serializer =
        serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true).serialize_missing_as_null(true);
    message.serialize(&serializer).map_err(|error| error.to_string())
}

/// A message that arrived.
///
/// # Errors
/// When it is none of ours.
pub fn from_js<T: DeserializeOwned>(message: JsValue) -> Result<T, String> {
    serde_wasm_bindgen::from_value(message).map_err(|error| error.to_string())
}
