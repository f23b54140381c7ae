//! CocoaPods' `Podfile.lock`: below `PODS:` a line indented by two is a pod and its
//! version, and deeper ones what it needs. <https://guides.cocoapods.org/using/using-cocoapods.html>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let pods = text.lines().skip_while(|line| line.trim_end() != "PODS:").skip(1);
    for line in pods.take_while(|line| line.starts_with(' ') || line.is_empty()) {
        let Some(pod) = line.strip_prefix("  - ") else { continue };
        // Texts with odd characters are quoted.
        let pod = pod.trim_end_matches([':', ' ']).trim_matches('"');
        if let Some((name, version)) = pod.split_once(" (") {
            out.add(name, version.trim_end_matches(')'));
        }
    }
    Ok(())
}
