use std::path::PathBuf;

use super::{Failure, Result, settings};
use inscan_report::Template;
use inscan_report::report::Format;

#[derive(Debug, clap::Args)]
pub(super) struct TemplateArgs {
    /// The template that `-o template` fills in, in the language of Jinja (docs/reports.md)
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
}

impl TemplateArgs {
    /// Read and understood before there is any work, where it is asked for.
    pub(super) fn resolve(
        &self,
        formats: impl Iterator<Item = Format>,
    ) -> Result<Option<Template>> {
        let is_asked_for = formats.into_iter().any(|format| format == Format::Template);
        match &self.template {
            Some(path) if is_asked_for => {
                let source = settings::text(path, "template")?;
                let template = Template::parse(&path.display().to_string(), source);
                let hint = "docs/reports.md tells what a template may say, and names ready ones";
                template.map(Some).map_err(|error| Failure::usage(error).hint(hint))
            }
            None if is_asked_for => {
                Err(Failure::usage(anyhow::anyhow!("`-o template` needs the template itself"))
                    .hint("name its file with `--template FILE`"))
            }
            _ => Ok(None),
        }
    }
}
