//! What may be wrong with an image or the way to it, each with the code that programs tell it by.

use inscan_facts::error::{Kind, coded};

type Error = anyhow::Error;

/// Part of the image is not there: a copy that was not finished, a file that was cut off.
pub(crate) fn incomplete(message: impl Into<String>) -> Error {
    coded(Kind::Broken, "image-incomplete", message)
}

/// There is nothing where an image should be.
pub(crate) fn empty(message: impl Into<String>) -> Error {
    coded(Kind::Broken, "image-empty", message)
}

/// Bytes are others than their digest or size says.
pub(crate) fn changed(message: impl Into<String>) -> Error {
    coded(Kind::Broken, "digest-mismatch", message)
}

/// What is there cannot be understood.
pub(crate) fn damaged(message: impl Into<String>) -> Error {
    coded(Kind::Broken, "image-damaged", message)
}

/// The image says two things, and clients differ in which they take.
pub(crate) fn contradictory(message: impl Into<String>) -> Error {
    coded(Kind::Broken, "image-contradictory", message)
}

/// The code of [`over_limit`].
pub(crate) const OVER_LIMIT: &str = "over-limit";

/// More than is read of any image.
pub(crate) fn over_limit(message: impl Into<String>) -> Error {
    coded(Kind::Broken, OVER_LIMIT, message)
}

pub(crate) fn denied(message: impl Into<String>) -> Error {
    coded(Kind::Broken, "permission-denied", message)
}

/// A form that is not read, where another may be named.
pub(crate) fn unsupported(message: impl Into<String>) -> Error {
    coded(Kind::Usage, "not-supported", message)
}

/// A form that is not read, in the image itself.
pub(crate) fn not_understood(message: impl Into<String>) -> Error {
    coded(Kind::Broken, "not-supported", message)
}

/// What was named is no image.
pub(crate) fn no_image(message: impl Into<String>) -> Error {
    coded(Kind::Usage, "not-an-image", message)
}

/// There is no such file, or no such image in it.
pub(crate) fn not_found(message: impl Into<String>) -> Error {
    coded(Kind::Usage, "image-not-found", message)
}

/// There is no image for the platform that was asked for.
pub(crate) fn no_platform(message: impl Into<String>) -> Error {
    coded(Kind::Usage, "platform-not-found", message)
}
