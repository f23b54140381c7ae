//! The CPE name by which a package was guessed, as the legacy engine writes it.

/// A package in the words of CPE; `-` stands for what is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpe {
    product: String,
    version: String,
    /// `python`, `ruby`, `node.js`.
    target: Option<&'static str>,
}

impl Cpe {
    pub(super) fn new(kind: &str, product: &str, version: &str) -> Self {
        let target = match kind {
            "python" => Some("python"),
            "gem" => Some("ruby"),
            "npm" => Some("node.js"),
            _ => None,
        };
        Cpe { product: product.to_owned(), version: version.to_owned(), target }
    }

    /// `cpe:/a:-:requests:2.23.0:-:~~~python~~`
    pub fn uri(&self) -> String {
        let target = self.target.map_or_else(|| "-".to_owned(), |it| format!("~~~{it}~~"));
        format!("cpe:/a:-:{}:{}:-:{target}", self.product, self.version)
    }

    /// `cpe:2.3:a:-:requests:2.23.0:-:-:-:-:python:-:-`
    pub fn formatted(&self) -> String {
        let target = self.target.unwrap_or("-");
        format!("cpe:2.3:a:-:{}:{}:-:-:-:-:{target}:-:-", self.product, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_in_both_ways() {
        let inner = Cpe::new("java", "inner", "3.2.1");
        assert_eq!(inner.uri(), "cpe:/a:-:inner:3.2.1:-:-");
        assert_eq!(inner.formatted(), "cpe:2.3:a:-:inner:3.2.1:-:-:-:-:-:-:-");
        let requests = Cpe::new("python", "requests", "2.23.0");
        assert_eq!(requests.uri(), "cpe:/a:-:requests:2.23.0:-:~~~python~~");
    }
}
