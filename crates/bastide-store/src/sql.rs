//! Between our types and SQLite's.

use std::str::FromStr;

use bastide_types::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Error, Row, RowIndex};

use crate::error::StoreError;

/// An instant or a count as SQLite's signed integer.
pub(crate) fn integer(what: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value)
        .map_err(|_| StoreError::Invalid { what, detail: format!("`{value}` is more than {}", i64::MAX) })
}

/// As [`integer`], for what may be absent.
pub(crate) fn integer_opt(what: &'static str, value: Option<u64>) -> Result<Option<i64>, StoreError> {
    value.map(|v| integer(what, v)).transpose()
}

pub(crate) fn instant(at: Timestamp) -> Result<i64, StoreError> {
    integer("a time", at.as_micros())
}

/// A column that is never negative.
pub(crate) fn unsigned<I: RowIndex + Copy>(row: &Row<'_>, column: I) -> Result<u64, Error> {
    unsigned_opt(row, column)?.ok_or_else(|| Error::InvalidColumnType(0, "absent".into(), Type::Null))
}

pub(crate) fn unsigned_opt<I: RowIndex + Copy>(row: &Row<'_>, column: I) -> Result<Option<u64>, Error> {
    let value: Option<i64> = row.get(column)?;
    value.map(|v| u64::try_from(v).map_err(|_| Error::IntegralValueOutOfRange(0, v))).transpose()
}

pub(crate) fn timestamp<I: RowIndex + Copy>(row: &Row<'_>, column: I) -> Result<Timestamp, Error> {
    unsigned(row, column).map(Timestamp::from_micros)
}

pub(crate) fn timestamp_opt<I: RowIndex + Copy>(
    row: &Row<'_>,
    column: I,
) -> Result<Option<Timestamp>, Error> {
    Ok(unsigned_opt(row, column)?.map(Timestamp::from_micros))
}

/// A column that holds the name of one of a closed set.
pub(crate) fn named<T: FromStr>(row: &Row<'_>, column: usize) -> Result<T, Error> {
    named_opt(row, column)?.ok_or_else(|| Error::InvalidColumnType(column, "absent".into(), Type::Null))
}

pub(crate) fn named_opt<T: FromStr>(row: &Row<'_>, column: usize) -> Result<Option<T>, Error> {
    let name: Option<String> = row.get(column)?;
    let parse = |name: String| name.parse().map_err(|_| Error::InvalidColumnType(column, name, Type::Text));
    name.map(parse).transpose()
}
