//! NuGet's `packages.config`: XML, an element `package` with `id` and `version` for
//! each package of a project. <https://learn.microsoft.com/en-us/nuget/reference/packages-config>

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::Locked;
use crate::{Error, Result};

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut reader = Reader::from_str(text);
    loop {
        let event = reader.read_event().map_err(|error| {
            Error::at_offset(reader.buffer_position(), format!("not valid XML: {error}"))
        })?;
        match event {
            Event::Start(element) | Event::Empty(element)
                if element.local_name().as_ref() == "package" =>
            {
                let value = |name| attribute(&element, name);
                if let (Some(name), Some(version)) = (value("id"), value("version")) {
                    match value("developmentDependency").as_deref() {
                        Some("true") => out.add_for_development(&name, &version),
                        _ => out.add(&name, &version),
                    }
                }
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    Some(attribute.value.trim().to_owned())
}
