//! Conversion of messages to JavaScript values and back. Bytes become `Uint8Array`, everything else plain objects.

use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

/// Encodes a message for `postMessage`.
///
/// # Errors
/// If the message holds an integer beyond 2^53, which JavaScript cannot represent.
pub fn to_js<T: Serialize>(message: &T) -> Result<JsValue, String> {
    let serializer =
        serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true).serialize_missing_as_null(true);
    message.serialize(&serializer).map_err(|error| error.to_string())
}

/// Decodes a message.
///
/// # Errors
/// If it is not a message of type `T`.
pub fn from_js<T: DeserializeOwned>(message: JsValue) -> Result<T, String> {
    serde_wasm_bindgen::from_value(message).map_err(|error| error.to_string())
}
