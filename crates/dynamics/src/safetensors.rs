//! Tensors in the `.safetensors` format, in which trained models are published: numbers of 8, 4 or 2 bytes.
//!
//! [`ArrayFile`](crate::array_file::ArrayFile) reads its arrays here, from bytes that the caller has read. Format:
//! <https://github.com/huggingface/safetensors>. Every number of the four types is a double: nothing is rounded.

use ::safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::npy::Array;

/// Names of tensors that a message lists at most.
const LISTED: usize = 8;

/// The tensor `name` of a `.safetensors` file, or its only one; of type F64, F32, F16 or BF16.
///
/// # Errors
/// What is wrong with the bytes, or which tensors there are instead, one sentence.
pub fn read(bytes: &[u8], name: Option<&str>) -> Result<Array, String> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| format!("its header is not that of a .safetensors file ({error})."))?;
    let (name, tensor) = choose(&file, name)?;
    let number = match tensor.dtype() {
        Dtype::F64 => double,
        Dtype::F32 => single,
        Dtype::F16 => half,
        Dtype::BF16 => brain,
        other => {
            return Err(format!(
                "its tensor `{name}` holds numbers of type {other}; F64, F32, F16 and BF16 can be read."
            ));
        }
    };
    let width = tensor.dtype().bitsize() / 8;
    let values = tensor.data().chunks_exact(width).map(number).collect();
    Ok(Array { shape: tensor.shape().to_vec(), values })
}

/// The tensor that is meant, and its name.
fn choose<'a>(file: &'a SafeTensors<'a>, name: Option<&'a str>) -> Result<(&'a str, TensorView<'a>), String> {
    let mut names = file.names();
    names.sort_unstable();
    let chosen = match (name, &names[..]) {
        (Some(name), _) if names.contains(&name) => name,
        (None, [only]) => only,
        (Some(name), _) => return Err(format!("it holds no tensor `{name}`; {}.", listed(&names))),
        (None, []) => return Err("it holds no tensor.".to_owned()),
        (None, _) => {
            return Err(format!(
                "it holds {} tensors, and `; tensor=…` does not say which is meant; {}.",
                names.len(),
                listed(&names)
            ));
        }
    };
    let tensor =
        file.tensor(chosen).map_err(|error| format!("its tensor `{chosen}` is damaged ({error})."))?;
    Ok((chosen, tensor))
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "it has none".to_owned(),
        count if count > LISTED => format!("its tensors are {shown} and {} more", count - LISTED),
        1 => format!("its only one is {shown}"),
        _ => format!("its tensors are {shown}"),
    }
}

/// The first bytes; the width of the type says that there are so many.
fn bytes<const WIDTH: usize>(data: &[u8]) -> [u8; WIDTH] {
    std::array::from_fn(|i| data[i])
}

fn double(data: &[u8]) -> f64 {
    f64::from_le_bytes(bytes(data))
}

fn single(data: &[u8]) -> f64 {
    f64::from(f32::from_le_bytes(bytes(data)))
}

/// BF16 is the upper half of a single.
fn brain(data: &[u8]) -> f64 {
    f64::from(f32::from_bits(u32::from(u16::from_le_bytes(bytes(data))) << 16))
}

/// IEEE 754 binary16: one sign bit, five bits of exponent (bias 15), ten of fraction.
fn half(data: &[u8]) -> f64 {
    let bits = u16::from_le_bytes(bytes(data));
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = u64::from(bits >> 10 & 0x1f);
    let fraction = u64::from(bits & 0x3ff);
    let magnitude = match exponent {
        // Subnormal: fraction · 2^−24, exact.
        0 => fraction as f64 * f64::from_bits((1023 - 24) << 52),
        0x1f if fraction == 0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => f64::from_bits((exponent + 1023 - 15) << 52 | fraction << 42),
    };
    sign * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn one(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let length = data.len();
        file(&format!(r#"{{"w":{{"dtype":"{kind}","shape":{shape},"data_offsets":[0,{length}]}}}}"#), data)
    }

    #[test]
    fn four_types_are_read_exactly() {
        let doubles: Vec<u8> = [1.0_f64, -0.1].iter().flat_map(|x| x.to_le_bytes()).collect();
        let singles: Vec<u8> = [1.0_f32, -0.1].iter().flat_map(|x| x.to_le_bytes()).collect();
        for (kind, data, second) in [
            ("F64", &doubles[..], -0.1),
            ("F32", &singles, f64::from(-0.1_f32)),
            // 0xae66: exponent 11, fraction 0x266: −(1 + 614/1024)/16.
            ("F16", &[0x00, 0x3c, 0x66, 0xae], -(1.0 + 614.0 / 1024.0) / 16.0),
            // 0xbdcd: exponent 123, fraction 0x4d: −(1 + 77/128)/16.
            ("BF16", &[0x80, 0x3f, 0xcd, 0xbd], -(1.0 + 77.0 / 128.0) / 16.0),
        ] {
            let array = read(&one(kind, "[1, 2]", data), None).unwrap();
            assert_eq!(array, Array { shape: vec![1, 2], values: vec![1.0, second] }, "{kind}");
            assert_eq!(read(&one(kind, "[2]", data), Some("w")).unwrap().shape, [2]);
        }
    }

    /// All 2^16 halves: neighbours differ by the spacing of their binade, and the corners are where the standard says.
    #[test]
    fn halves() {
        let value = |bits: u16| half(&bits.to_le_bytes());
        assert_eq!(value(0x0001), 1.0 / f64::from(1 << 24));
        assert_eq!(value(0x0400), 1.0 / f64::from(1 << 14));
        assert_eq!(value(0x7bff), 65504.0);
        assert_eq!(value(0xfc00), f64::NEG_INFINITY);
        assert!(value(0x7c01).is_nan());
        for bits in 0..0x7bff_u16 {
            let spacing = f64::from(1_u32 << (bits >> 10).max(1)) / f64::from(1 << 25);
            assert_eq!(value(bits + 1) - value(bits), spacing, "{bits:04x}");
            assert_eq!(value(bits | 0x8000), -value(bits));
        }
    }

    #[test]
    fn damage_is_described() {
        let good = one("F64", "[1, 2]", &[0; 16]);
        for length in 0..good.len() {
            assert!(read(&good[..length], None).is_err(), "{length}");
        }
        assert!(read(&one("I32", "[1, 2]", &[0; 8]), None).unwrap_err().contains("I32"));
        assert!(read(&one("F64", "[3, 2]", &[0; 16]), None).is_err());
        assert!(
            read(&one("F64", "[1, 2]", &[0; 16]), Some("v")).unwrap_err().contains("its only one is `w`")
        );
        assert!(read(&file("{}", &[]), None).unwrap_err().contains("no tensor"));
        let two = r#"{"b":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"F64","shape":[1],"data_offsets":[8,16]}}"#;
        let mut data = 1.0_f64.to_le_bytes().to_vec();
        data.extend(2.0_f64.to_le_bytes());
        assert!(read(&file(two, &data), None).unwrap_err().contains("its tensors are `a`, `b`"));
        assert_eq!(read(&file(two, &data), Some("a")).unwrap().values, [2.0]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = read(&bytes, None);
        }
    }
}
