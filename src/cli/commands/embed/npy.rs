//! Features as NumPy arrays.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::{Table, csv};

/// Writes the features, the labels where there are any, and the names of the rows; returns the names of the files.
pub(super) fn write(path: &Path, table: &Table) -> io::Result<String> {
    let Table { features, labels, files, .. } = table;
    let little = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let shape = format!("({}, {})", features.len(), features.width);
    write_array(path, "<f4", &shape, &little(&features.values))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut named = path.display().to_string();
    if let Some(labels) = labels {
        let beside = path.with_file_name(format!("{stem}-labels.npy"));
        let bytes: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        write_array(&beside, "<u2", &format!("({},)", labels.len()), &bytes)?;
        named.push_str(&format!(", labels in {}", beside.display()));
    }
    if labels.is_some() || !files.is_empty() {
        let beside = path.with_file_name(format!("{stem}-rows.csv"));
        csv::write_rows(&beside, table)?;
        named.push_str(&format!(", names of the rows in {}", beside.display()));
    }
    Ok(named)
}

/// The format of NumPy, version 1.0: a magic word, the header padded to a multiple of 64 bytes, the values.
fn write_array(path: &Path, kind: &str, shape: &str, values: &[u8]) -> io::Result<()> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    // magic word, version, length and the line's end take eleven bytes
    let padding = (64 - (header.len() + 11) % 64) % 64;
    let header = format!("{header}{}\n", " ".repeat(padding));
    let mut file = File::create(path)?;
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&(header.len() as u16).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    file.write_all(values)
}
