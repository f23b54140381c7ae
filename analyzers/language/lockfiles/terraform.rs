//! `.terraform.lock.hcl` of Terraform and OpenTofu: a block `provider "HOST/NAMESPACE/NAME"`
//! for each, with a field `version = "5.1.0"`.
//! <https://developer.hashicorp.com/terraform/language/files/dependency-lock>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut provider = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("provider ") {
            provider = quoted(rest);
        } else if let (Some(address), Some(rest)) = (provider, line.strip_prefix("version")) {
            let value = rest.trim_start().strip_prefix('=');
            if let Some(version) = value.and_then(quoted) {
                // The host says whose registry it is.
                let name = address.split_once('/').map_or(address, |(_, name)| name);
                out.add(name, version);
            }
        } else if line == "}" {
            provider = None;
        }
    }
    Ok(())
}

/// The text between the first two quotes.
fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1).filter(|text| !text.is_empty())
}
