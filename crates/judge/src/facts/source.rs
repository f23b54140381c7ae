//! Where facts come from: the text of a document, an analysis in memory, or
//! our own part of a document alone.
//!
//! Of a document only the places of its outputs are found at first; each is a
//! JSON object from keys to texts, and is read when it is asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Lookup;
use inscan_document::{LegacyPart, Section};

#[derive(Default)]
pub(super) enum Source<'a> {
    /// No facts at all.
    #[default]
    Nothing,
    Document(Box<Document<'a>>),
    Analysis(Box<dyn LegacyPart + 'a>),
    /// Our own part alone: of an SBOM, or of an analysis without all files.
    Section(&'a Section),
}

/// A text that is no analysis document.
#[derive(Debug, thiserror::Error)]
#[error("not an analysis document: {0}")]
pub struct DocumentError(#[from] serde_json::Error);

/// The legacy part, not read yet.
#[derive(Default)]
pub(super) struct Document<'a> {
    report: BTreeMap<Cow<'a, str>, Module<'a>>,
    image_report: Option<&'a RawValue>,
    own: Own,
}

type Module<'a> = BTreeMap<Cow<'a, str>, Base<'a>>;

#[derive(Deserialize)]
struct Base<'a> {
    #[serde(borrow)]
    base: &'a RawValue,
}

/// What is taken from our own part: the legacy part has it not.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Own {
    tool: Value,
    image: Value,
}

pub(super) fn read<'a>(text: &'a [u8], section: &'a Section) -> Result<Source<'a>, DocumentError> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow, default)]
        document: First<'a>,
        #[serde(default)]
        inscan: Option<Own>,
    }
    let whole: Whole<'a> = serde_json::from_slice(text)?;
    let Some(image) = whole.document.0 else { return Ok(Source::Section(section)) };
    Ok(Source::Document(Box::new(Document {
        report: image.imagedata.analysis_report,
        image_report: image.imagedata.image_report,
        own: whole.inscan.unwrap_or_default(),
    })))
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    image: Image<'a>,
}

#[derive(Deserialize)]
struct Image<'a> {
    #[serde(borrow)]
    imagedata: ImageData<'a>,
}

#[derive(Deserialize)]
struct ImageData<'a> {
    #[serde(borrow, default)]
    analysis_report: BTreeMap<Cow<'a, str>, Module<'a>>,
    #[serde(borrow, default)]
    image_report: Option<&'a RawValue>,
}

/// The first element of a list of images, which has never more.
#[derive(Default)]
struct First<'a>(Option<Image<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for First<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for List<'a> {
            type Value = First<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of images")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let first: Option<Entry<'a>> = list.next_element()?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first.map(|entry| entry.image)))
            }
        }
        deserializer.deserialize_seq(List(std::marker::PhantomData))
    }
}

/// Takes each key and text of an output.
type Each<'a, 'f> = dyn FnMut(Cow<'a, str>, &str) -> Lookup<()> + 'f;

impl<'a> Source<'a> {
    /// Hands over the values of an output, which may have none.
    pub(super) fn each(&self, module: &str, output: &str, each: &mut Each<'a, '_>) -> Lookup<()> {
        match self {
            Source::Nothing | Source::Section(_) => Err(self.lacks("this")),
            Source::Document(document) => document.each(module, output, each),
            Source::Analysis(outputs) => {
                let values = outputs.values(module, output);
                values.into_iter().try_for_each(|(key, value)| each(Cow::Owned(key), &value))
            }
        }
    }

    /// Whether the document has the output; one without values may have been left out.
    pub(super) fn has(&self, module: &str, output: &str) -> bool {
        match self {
            Source::Nothing | Source::Section(_) => false,
            Source::Document(document) => document.output(module, output).is_some(),
            Source::Analysis(outputs) => !outputs.values(module, output).is_empty(),
        }
    }

    /// Names of a module's outputs, in order.
    pub(super) fn outputs(&self, module: &str) -> Vec<String> {
        match self {
            Source::Nothing | Source::Section(_) => Vec::new(),
            Source::Document(document) => document
                .report
                .get(module)
                .into_iter()
                .flat_map(|outputs| outputs.keys().map(|name| name.clone().into_owned()))
                .collect(),
            Source::Analysis(outputs) => {
                outputs.names(module).into_iter().map(str::to_owned).collect()
            }
        }
    }

    /// An error, where it is known that an analyzer did not run whose facts would be none.
    pub(super) fn needs(&self, analyzer: &str) -> Lookup<()> {
        let ran = match self {
            Source::Analysis(outputs) => outputs.analyzers().contains(&analyzer),
            Source::Document(document) => match document.own.tool["analyzers"].as_array() {
                Some(names) => names.iter().any(|name| name == analyzer),
                None => true,
            },
            Source::Nothing | Source::Section(_) => true,
        };
        match ran {
            true => Ok(()),
            false => Err(format!(
                "the analyzer `{analyzer}` did not run: analyze the image again with it"
            )),
        }
    }

    /// That the source does not say such things at all.
    pub(super) fn lacks(&self, what: &str) -> String {
        match self {
            Source::Section(section) if !section.left_out.is_empty() => format!(
                "the analysis does not tell {what}, since `--only` left it out: analyze the image without that"
            ),
            Source::Section(_) => format!(
                "an SBOM does not tell {what}: judge an analysis document (`inscan analyze IMAGE`)"
            ),
            _ => format!("the document does not tell {what}: analyze the image again"),
        }
    }
}

impl<'a> Document<'a> {
    fn output(&self, module: &str, output: &str) -> Option<&'a RawValue> {
        Some(self.report.get(module)?.get(output)?.base)
    }

    fn each(&self, module: &str, output: &str, each: &mut Each<'a, '_>) -> Lookup<()> {
        let Some(raw) = self.output(module, output) else { return Ok(()) };
        let mut failure = None;
        let visitor = Texts { each, failure: &mut failure };
        let done = serde_json::Deserializer::from_str(raw.get()).deserialize_map(visitor);
        match (failure, done) {
            (Some(failure), _) => Err(failure),
            (None, Err(error)) => {
                Err(format!("`{module}/{output}` in the document cannot be understood: {error}"))
            }
            (None, Ok(())) => Ok(()),
        }
    }

    pub(super) fn image_report(&self) -> Lookup<Value> {
        let Some(raw) = self.image_report else {
            return Err("the document has no `image_report`: analyze the image again".to_owned());
        };
        serde_json::from_str(raw.get())
            .map_err(|error| format!("`image_report` in the document cannot be read: {error}"))
    }

    /// Labels, as our own part has them.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let labels = self.own.image["config"]["labels"].as_object().into_iter().flatten();
        labels
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect()
    }

    /// The operating system, as our own part has it.
    pub(super) fn os(&self) -> Option<&str> {
        self.own.image["os"].as_str()
    }
}

/// An object from texts to texts, each pair of which is handed on.
struct Texts<'s, 'a, 'f> {
    each: &'s mut Each<'a, 'f>,
    failure: &'s mut Option<String>,
}

impl<'a> Visitor<'a> for Texts<'_, 'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            let Text(value) = map.next_value()?;
            if let Err(failure) = (self.each)(key, &value) {
                *self.failure = Some(failure);
                return Err(de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

/// A text, borrowed where nothing in it is escaped.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(One).map(Text)
    }
}
