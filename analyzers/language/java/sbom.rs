//! SBOMs in archives, as Spring Boot and the plugins of CycloneDX leave them in `META-INF/sbom`. What
//! they list and the archive itself holds as well is stated once.
//! <https://docs.spring.io/spring-boot/reference/actuator/endpoints.html>

use std::collections::HashSet;

use bstr::{BStr, ByteSlice};

use crate::{Fact, Facts, Package};

const DIRECTORY: &[u8] = b"META-INF/sbom/";

pub(super) fn is_one(member: &BStr) -> bool {
    let is_document = member.ends_with_str(".json") || member.ends_with_str(".xml");
    member.starts_with(DIRECTORY) && is_document
}

/// None of a file that only lies where SBOMs do.
pub(super) fn packages(archive: &BStr, member: &BStr, document: &[u8]) -> Vec<Package> {
    let location = [archive.as_bytes(), b":", member.as_bytes()].concat();
    let components = inscan_sbom::read(document).map(|sbom| sbom.components).unwrap_or_default();
    let placed =
        |it: inscan_sbom::Component| Package { location: location.clone().into(), ..it.package };
    components.into_iter().map(placed).collect()
}

/// `begun`: how many facts there were before the archive.
pub(super) fn state(listed: Vec<Package>, begun: usize, out: &mut Facts) {
    if listed.is_empty() {
        return;
    }
    let key =
        |it: &Package| (it.kind.clone(), it.namespace.clone(), it.name.clone(), it.version.clone());
    let own = out.facts[begun..].iter().filter_map(Fact::package);
    let stated: HashSet<_> = own.map(key).collect();
    for package in listed.into_iter().filter(|package| !stated.contains(&key(package))) {
        out.package(package);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Java;
    use crate::testing::Image;
    use inscan_test_support::zip;

    #[test]
    fn what_an_sbom_lists_beside_what_the_archive_holds_is_stated() {
        let properties = b"groupId=org.x\nartifactId=x\nversion=1\n";
        let inner = zip(&[("META-INF/maven/org.x/x/pom.properties", properties)]);
        let document = r#"{"bomFormat": "CycloneDX", "components": [
            {"purl": "pkg:maven/org.x/x@1", "name": "x"}, {"purl": "pkg:maven/org.y/y@2", "name": "y"}]}"#;
        let archive = zip(&[
            ("META-INF/sbom/application.cdx.json", document.as_bytes()),
            ("META-INF/sbom/other.json", b"{}"),
            ("BOOT-INF/lib/x-1.jar", &inner),
        ]);
        let found = Image::new([("app.jar", archive)]).run(&Java);
        let named: Vec<_> =
            found.packages().map(|it| format!("{} in {}", it.name, it.location)).collect();
        let listed = "y in app.jar:META-INF/sbom/application.cdx.json";
        assert_eq!(named, ["x in app.jar:BOOT-INF/lib/x-1.jar", listed]);
        assert_eq!(found.problems, []);
    }
}
