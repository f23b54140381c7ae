//! NuGet's `packages.config`: XML, an element `package` with `id` and `version` for
//! each package of a project. <https://learn.microsoft.com/en-us/nuget/reference/packages-config>

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::Locked;
use crate::{Error, Result};

/// The element that holds all others has this name.
const ROOT: &str = "packages";

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut reader = Reader::from_str(text);
    let mut open = 0usize;
    let mut has_root = false;
    loop {
        let event = reader.read_event().map_err(|error| {
            Error::at_offset(reader.buffer_position(), format!("not valid XML: {error}"))
        })?;
        let broken = |what: &str| {
            Error::at_offset(reader.buffer_position(), format!("packages.config: {what}"))
        };
        match event {
            Event::Start(ref element) | Event::Empty(ref element) => {
                match element.local_name().as_ref() {
                    ROOT if !has_root => has_root = true,
                    _ if !has_root => return Err(broken("it does not begin with `packages`")),
                    "package" => package(element, out).map_err(broken)?,
                    _ => {}
                }
                open += usize::from(matches!(event, Event::Start(_)));
            }
            Event::End(_) => open = open.saturating_sub(1),
            Event::Eof if open > 0 => return Err(broken("it ends within an element")),
            Event::Eof if !has_root => return Err(broken("there is no element `packages`")),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn package(
    element: &BytesStart<'_>,
    out: &mut Locked<'_>,
) -> std::result::Result<(), &'static str> {
    let value = |name: &str| -> std::result::Result<Option<String>, &'static str> {
        let found = element.try_get_attribute(name).map_err(|_| "an attribute is malformed")?;
        Ok(found.map(|it| it.value.trim().to_owned()).filter(|it| !it.is_empty()))
    };
    let name = value("id")?.ok_or("a package has no `id`")?;
    let version = value("version")?.ok_or("a package has no `version`")?;
    match value("developmentDependency")?.as_deref() {
        Some("true") => out.add_for_development(&name, &version),
        _ => out.add(&name, &version),
    }
    Ok(())
}
