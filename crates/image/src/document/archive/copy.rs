//! Copies the legacy part of a document, value by value, and gives the image other names on the
//! way where that is wanted.

use std::cell::RefCell;
use std::fmt;
use std::io::{Read, Write};

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;

use super::Error;
use inscan_document::identity::{self, Overrides};

/// Writes `{"document": […]}` of a document that may have other parts.
pub(super) fn document(
    from: impl Read,
    overrides: &Overrides,
    to: &mut impl Write,
) -> Result<(), Error> {
    let out = RefCell::new(Out { to, failed: None, has_document: false });
    let copy = Copy { out: &out, overrides, at: At::Top };
    let mut reader =
        serde_json::Deserializer::from_reader(std::io::BufReader::with_capacity(1 << 16, from));
    let read = copy.deserialize(&mut reader).and_then(|()| reader.end());
    let out = out.into_inner();
    if let Some(error) = out.failed {
        return Err(error.into());
    }
    read?;
    match out.has_document {
        true => Ok(()),
        false => Err(Error::content(
            "it has no part `document`, which is what a backend reads: an SBOM cannot be sent, nor what `--only` made",
        )),
    }
}

struct Out<'a, W> {
    to: &'a mut W,
    failed: Option<std::io::Error>,
    has_document: bool,
}

impl<W: Write> Out<'_, W> {
    fn put<E: serde::de::Error>(&mut self, text: &[u8]) -> Result<(), E> {
        self.to.write_all(text).map_err(|error| {
            self.failed = Some(error);
            E::custom("could not write")
        })
    }

    fn text<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        serde_json::to_writer(&mut *self.to, text).map_err(|error| {
            self.failed = Some(error.into());
            E::custom("could not write")
        })
    }
}

/// Where in the document.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Top,
    Documents,
    Entry,
    Image,
    ImageId,
    Data,
    Report,
    Elsewhere,
}

impl At {
    fn within(self, key: &str) -> At {
        match (self, key) {
            (At::Top, "document") => At::Documents,
            (At::Entry, "image") => At::Image,
            (At::Image, "imageId") => At::ImageId,
            (At::Image, "imagedata") => At::Data,
            (At::Data, "image_report") => At::Report,
            _ => At::Elsewhere,
        }
    }
}

struct Copy<'a, 'b, W> {
    out: &'a RefCell<Out<'b, W>>,
    overrides: &'a Overrides,
    at: At,
}

impl<'a, 'b, W: Write> Copy<'a, 'b, W> {
    fn at(&self, at: At) -> Copy<'a, 'b, W> {
        Copy { out: self.out, overrides: self.overrides, at }
    }

    fn put<E: serde::de::Error>(&self, text: &str) -> Result<(), E> {
        self.out.borrow_mut().put(text.as_bytes())
    }
}

impl<'de, W: Write> DeserializeSeed<'de> for Copy<'_, '_, W> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, W: Write> Visitor<'de> for Copy<'_, '_, W> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.put("null")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.put(if value { "true" } else { "false" })
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.put(&value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.put(&value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.put(&Value::from(value).to_string())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        let id = self.overrides.image_id.as_deref().filter(|_| self.at == At::ImageId);
        self.out.borrow_mut().text(id.unwrap_or(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let at = if self.at == At::Documents { At::Entry } else { At::Elsewhere };
        self.put("[")?;
        let mut first = true;
        // The element writes itself, so the comma before it comes from a seed that knows.
        while list.next_element_seed(After { first, copy: self.at(at) })?.is_some() {
            first = false;
        }
        self.put("]")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.put("{")?;
        let mut first = true;
        while let Some(key) = map.next_key::<String>()? {
            let at = self.at.within(&key);
            if self.at == At::Top {
                if at != At::Documents || self.out.borrow().has_document {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                self.out.borrow_mut().has_document = true;
            }
            if !first {
                self.put(",")?;
            }
            first = false;
            self.out.borrow_mut().text(&key)?;
            self.put(":")?;
            if at == At::Report {
                let mut report: Value = map.next_value()?;
                rename(&mut report, self.overrides);
                self.put(&report.to_string())?;
            } else {
                map.next_value_seed(self.at(at))?;
            }
        }
        self.put("}")
    }
}

struct After<'a, 'b, W> {
    first: bool,
    copy: Copy<'a, 'b, W>,
}

impl<'de, W: Write> DeserializeSeed<'de> for After<'_, '_, W> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !self.first {
            self.copy.put(",").map_err(|error: serde::de::value::Error| D::Error::custom(error))?;
        }
        self.copy.deserialize(deserializer)
    }
}

/// The places in the legacy part's image report that have the image's names.
fn rename(report: &mut Value, overrides: &Overrides) {
    if !report.is_object() {
        return;
    }
    let stated = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut full_tag = stated(&report["docker_data"]["RepoTags"][0]);
    let stated_digest = stated(&report["docker_data"]["RepoDigests"][0]);
    let mut digest = stated_digest.split('@').nth(1).unwrap_or_default().to_owned();
    if let Some(tag) = &overrides.tag {
        full_tag = identity::full_tag(tag);
    }
    if let Some(other) = &overrides.image_digest {
        digest.clone_from(other);
    }
    if overrides.tag.is_some() || overrides.image_digest.is_some() {
        let repository = identity::split_tag(&full_tag).0;
        report["docker_data"]["RepoDigests"] = vec![format!("{repository}@{digest}")].into();
        report["docker_data"]["RepoTags"] = vec![full_tag.clone()].into();
        report["meta"]["humanname"] = full_tag.into();
    }
    if let Some(id) = &overrides.image_id {
        let short: String = id.chars().take(12).collect();
        for (key, value) in
            [("imageId", id), ("imagename", id), ("shortId", &short), ("shortname", &short)]
        {
            report["meta"][key] = value.clone().into();
        }
    }
    if let Some(dockerfile) = &overrides.dockerfile {
        report["dockerfile_mode"] = "Actual".into();
        report["dockerfile_contents"] = dockerfile.clone().into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn copied(document: &Value, overrides: &Overrides) -> Result<Value, Error> {
        let mut to = Vec::new();
        super::document(document.to_string().as_bytes(), overrides, &mut to)?;
        Ok(serde_json::from_slice(&to).unwrap())
    }

    #[test]
    fn the_legacy_part_is_copied_as_it_is() {
        let odd = json!([null, true, -1, 18446744073709551615u64, 0.5, "a\"\u{1}\u{1f600}", {}, [], [[1], {"a": {"b": []}}]]);
        let document = json!({"document": [{"image": {"imageId": "1", "imagedata": {"x": odd}}}], "inscan": {"format": "1.0"}});
        let expected = json!({"document": document["document"]});
        assert_eq!(copied(&document, &Overrides::default()).unwrap(), expected);
    }

    #[test]
    fn the_image_is_given_other_names_in_all_places() {
        let document = json!({"document": [{"image": {"imageId": "1", "imagedata": {"image_report": {
            "docker_data": {"RepoTags": ["r.example/a:1"], "RepoDigests": ["r.example/a@sha256:0"], "Architecture": "x"},
            "dockerfile_mode": "Guessed", "dockerfile_contents": "", "meta": {"imageId": "1", "sizebytes": 3}}}}}]});
        let overrides = Overrides {
            tag: Some("b".into()),
            image_digest: None,
            image_id: Some("abcdefabcdef00".into()),
            dockerfile: Some("FROM x".into()),
        };
        let image = copied(&document, &overrides).unwrap()["document"][0]["image"].take();
        assert_eq!(image["imageId"], "abcdefabcdef00");
        let report = &image["imagedata"]["image_report"];
        assert_eq!(
            report["docker_data"],
            json!({"RepoTags": ["localbuild/b:latest"], "RepoDigests": ["localbuild/b@sha256:0"], "Architecture": "x"})
        );
        assert_eq!(report["meta"]["shortId"], "abcdefabcdef");
        assert_eq!(report["meta"]["sizebytes"], 3);
        assert_eq!(
            (&report["dockerfile_mode"], &report["dockerfile_contents"]),
            (&json!("Actual"), &json!("FROM x"))
        );
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let none = Overrides::default();
        for document in [json!({}), json!([]), json!({"bomFormat": "CycloneDX"})] {
            assert!(copied(&document, &none).is_err(), "{document}");
        }
        let deep = format!(r#"{{"document": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(super::document(deep.as_bytes(), &none, &mut Vec::new()).is_err());
    }
}
