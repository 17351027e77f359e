//! Damaged and malicious files, which are refused without harm.

use burn::tensor::Device;
use futures_lite::future::block_on;

use super::{About, ImportOptions, import, safetensors};
use crate::net::{EncoderConfig, EncoderKind, encoder_for_tests};

/// Files of PyTorch; tests/reference/foreign_files.py writes them.
const NEW: &[u8] = include_bytes!("../../tests/fixtures/weights/moco.pth");
const OLD: &[u8] = include_bytes!("../../tests/fixtures/weights/swav_old.pth");

fn ours() -> Vec<u8> {
    let encoder = EncoderConfig::small(1);
    let about = About { encoder: encoder.clone(), channels: 1, trained: "for a test".into() };
    block_on(safetensors(&encoder_for_tests(&encoder, 1, &Device::flex()), &about)).expect("a file")
}

/// True if it was read as an encoder. A panic or an abort would end the test.
fn taken(bytes: &[u8]) -> bool {
    match import(bytes, &ImportOptions::default(), 1, &Device::flex()) {
        Ok(imported) => {
            assert!(imported.config.width <= 64, "nothing here is wide");
            true
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && !said.contains('\n') && said.len() < 600, "one sentence: {said}");
            false
        }
    }
}

#[test]
fn whole_files_are_read() {
    assert!(taken(NEW) && taken(OLD) && taken(&ours()));
}

#[test]
fn no_truncated_file_is_read() {
    for file in [NEW.to_vec(), OLD.to_vec(), ours()] {
        // headers and tables are near the ends: every offset there, and a sample of the rest
        let near = (0..300).chain(file.len() - 300..file.len());
        for end in near.chain((300..file.len() - 300).step_by(file.len() / 150)) {
            assert!(!taken(&file[..end]), "cut at {end} of {}", file.len());
        }
    }
}

#[test]
fn flipped_bits_are_noticed_or_harmless() {
    let mut noise = 0x9E37_79B9_7F4A_7C15u64;
    for file in [NEW.to_vec(), OLD.to_vec(), ours()] {
        for _ in 0..600 {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (noise >> 33) as usize % file.len();
            let bit = (noise >> 29) & 7;
            let mut flipped = file.clone();
            flipped[place] ^= 1 << bit;
            taken(&flipped);
        }
        // sizes and names are in the header
        for place in 0..file.len().min(600) {
            let mut broken = file.clone();
            broken[place] = 0xff;
            taken(&broken);
        }
    }
}

#[test]
fn a_flipped_weight_fails_the_archives_checksum() {
    let name = b"moco/data/0";
    let start = NEW.windows(name.len()).position(|window| window == name).expect("an entry") + 300;
    let mut flipped = NEW.to_vec();
    flipped[start] ^= 1;
    let said = import(&flipped, &ImportOptions::default(), 1, &Device::flex()).expect_err("damaged").to_string();
    assert!(said.contains("checksum"), "{said}");
}

#[test]
fn a_small_file_cannot_ask_for_a_large_encoder() {
    let broad = |header: String, data: usize| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.bytes());
        bytes.extend(vec![0; data]);
        let wanted = ImportOptions { kind: Some(EncoderKind::Small), ..ImportOptions::default() };
        import(&bytes, &wanted, 1, &Device::flex()).expect_err("must be refused").to_string()
    };
    // a wide first layer alone
    let mut entries = Vec::new();
    let sample = encoder_for_tests(&EncoderConfig::small(4), 3, &Device::flex());
    for (index, tensor) in sample.state().into_iter().enumerate() {
        let shape = if index == 0 { vec![4000, 3, 3, 3] } else { tensor.shape };
        let bytes = 4 * shape.iter().product::<usize>();
        entries.push((tensor.name, shape, bytes));
    }
    let mut at = 0;
    let texts: Vec<String> = entries
        .iter()
        .map(|(name, shape, bytes)| {
            at += bytes;
            format!(r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{},{at}]}}"#, at - bytes)
        })
        .collect();
    let said = broad(format!("{{{}}}", texts.join(",")), at);
    assert!(said.contains("does not fit a first layer of 4000 channels"), "{said}");
    let said = broad(r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#.into(), 4);
    assert!(said.contains("not a whole safetensors file"), "{said}");
    let said = broad(format!("{{{}", "[".repeat(100_000)), 0);
    assert!(said.contains("not a whole safetensors file"), "{said}");
}

#[test]
fn other_files_are_refused_by_their_format() {
    for (bytes, word) in [
        (&b""[..], "neither a safetensors file"),
        (b"hello, world", "neither a safetensors file"),
        (b"PK\x03\x04", "table of contents"),
        (b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "neither"),
    ] {
        let said = import(bytes, &ImportOptions::default(), 1, &Device::flex()).expect_err("no weights").to_string();
        assert!(said.contains(word), "{said}");
    }
}
