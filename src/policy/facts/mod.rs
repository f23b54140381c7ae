//! What a document says of an image, as gates ask for it: each part is read
//! when the first rule wants it.

use std::marker::PhantomData;

/// The facts of one document.
#[derive(Debug, Default)]
pub struct Facts<'a> {
    document: PhantomData<&'a [u8]>,
}
