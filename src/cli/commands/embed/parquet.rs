//! Features as Parquet columns.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type};

use super::Table;

/// Writes the file; returns its name.
pub(super) fn write(path: &Path, table: &Table) -> io::Result<String> {
    columns(BufWriter::new(File::create(path)?), table)?;
    Ok(path.display().to_string())
}

fn columns(file: BufWriter<File>, table: &Table) -> Result<()> {
    // features hardly ever repeat; labels and their names do
    let properties = WriterProperties::builder().set_dictionary_enabled(false);
    let properties = ["label", "class"]
        .into_iter()
        .fold(properties, |properties, name| properties.set_column_dictionary_enabled(ColumnPath::from(name), true));
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema(table)?), Arc::new(properties.build()))?;
    let mut group = writer.next_row_group()?;
    let indices: Vec<i32> = table.images.iter().map(|&image| image as i32).collect();
    column::<Int32Type>(&mut group, &indices)?;
    if !table.files.is_empty() {
        let files: Vec<ByteArray> = table.files.iter().map(|&file| file.into()).collect();
        column::<ByteArrayType>(&mut group, &files)?;
    }
    if let Some(labels) = &table.labels {
        let numbers: Vec<i32> = labels.iter().map(|&label| i32::from(label)).collect();
        column::<Int32Type>(&mut group, &numbers)?;
        let names: Vec<ByteArray> = labels.iter().map(|&label| table.class(label).into()).collect();
        column::<ByteArrayType>(&mut group, &names)?;
    }
    for number in 0..table.features.width {
        let values: Vec<f32> = table.features.rows().map(|row| row[number]).collect();
        column::<FloatType>(&mut group, &values)?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

/// The columns in order, all required.
fn schema(table: &Table) -> Result<Type> {
    let field = |name: &str, physical: Physical, logical: Option<LogicalType>| {
        let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        builder.with_logical_type(logical).build().map(Arc::new)
    };
    let mut fields = vec![field("index", Physical::INT32, None)?];
    if !table.files.is_empty() {
        fields.push(field("file", Physical::BYTE_ARRAY, Some(LogicalType::String))?);
    }
    if table.labels.is_some() {
        fields.push(field("label", Physical::INT32, None)?);
        fields.push(field("class", Physical::BYTE_ARRAY, Some(LogicalType::String))?);
    }
    for head in table.heads() {
        fields.push(field(&head, Physical::FLOAT, None)?);
    }
    Type::group_type_builder("images").with_fields(fields).build()
}

fn column<T: DataType>(group: &mut SerializedRowGroupWriter<BufWriter<File>>, values: &[T::T]) -> Result<()> {
    let mut column = group.next_column()?.expect("the schema has a column for all that is written");
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}
