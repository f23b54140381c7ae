//! What goes into a query and what comes out: four kinds of values, the same in every database.

use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<bool> for Value {
    fn from(is_true: bool) -> Self {
        Value::Int(i64::from(is_true))
    }
}

/// PostgreSQL keeps no text with a NUL in it, and images have what they like: it is replaced here,
/// for both, so that both keep the same.
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.replace('\0', "\u{fffd}"))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Value::from(text.as_str())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        match text.contains('\0') {
            true => Value::from(text.as_str()),
            false => Value::Text(text),
        }
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// One row of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    /// To be read column by column, in the order of the query.
    pub fn fields(self) -> Fields {
        Fields { values: self.0.into_iter(), column: 0 }
    }

    /// The first columns, and those behind them.
    pub fn split(self, at: usize) -> (Row, Row) {
        let mut front = self.0;
        let rest = front.split_off(at.min(front.len()));
        (Row(front), Row(rest))
    }

    /// The only column, a number.
    ///
    /// # Errors
    /// Where it is another one.
    pub fn int(self) -> Result<i64> {
        self.fields().int()
    }

    /// The only column, a text.
    ///
    /// # Errors
    /// Where it is another one.
    pub fn text(self) -> Result<String> {
        self.fields().text()
    }
}

/// The columns of a row that are still to be read.
#[derive(Debug)]
pub struct Fields {
    values: std::vec::IntoIter<Value>,
    column: usize,
}

impl Fields {
    fn next(&mut self) -> Result<Value> {
        self.column += 1;
        self.values.next().ok_or(Error::Shape { column: self.column })
    }

    fn wrong<T>(&self) -> Result<T> {
        Err(Error::Shape { column: self.column })
    }

    /// # Errors
    /// Where the next column is no number; the same holds for all of these.
    pub fn int(&mut self) -> Result<i64> {
        match self.next()? {
            Value::Int(number) => Ok(number),
            _ => self.wrong(),
        }
    }

    pub fn bool(&mut self) -> Result<bool> {
        Ok(self.int()? != 0)
    }

    pub fn text(&mut self) -> Result<String> {
        match self.next()? {
            Value::Text(text) => Ok(text),
            _ => self.wrong(),
        }
    }

    pub fn bytes(&mut self) -> Result<Vec<u8>> {
        match self.next()? {
            Value::Bytes(bytes) => Ok(bytes),
            _ => self.wrong(),
        }
    }

    pub fn int_or_none(&mut self) -> Result<Option<i64>> {
        match self.next()? {
            Value::Int(number) => Ok(Some(number)),
            Value::Null => Ok(None),
            _ => self.wrong(),
        }
    }

    pub fn text_or_none(&mut self) -> Result<Option<String>> {
        match self.next()? {
            Value::Text(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            _ => self.wrong(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_in_their_order_and_by_their_kind() {
        let row = Row(vec![Value::Int(1), Value::from("a"), Value::Null]);
        let mut fields = row.fields();
        assert_eq!(fields.int().unwrap(), 1);
        assert_eq!(fields.text().unwrap(), "a");
        assert_eq!(fields.text_or_none().unwrap(), None);
        assert!(matches!(fields.int(), Err(Error::Shape { column: 4 })));
    }

    #[test]
    fn no_nul_is_kept() {
        assert_eq!(Value::from("a\0b"), Value::Text("a\u{fffd}b".to_owned()));
        assert_eq!(Value::from("a\0b".to_owned()), Value::Text("a\u{fffd}b".to_owned()));
    }
}
