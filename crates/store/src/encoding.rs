//! The one place that knows how values become bytes in frames and journals (bincode with serde).

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The bytes of a value.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard())
        .expect("plain values always have an encoding: no maps with unknown length, no borrowed text")
}

/// The value of bytes, all of which must be used; `None` if they are not one.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (value, used) = bincode::serde::decode_from_slice(bytes, bincode::config::standard()).ok()?;
    (used == bytes.len()).then_some(value)
}
