//! Gates that the engine had once: bundles may still name them, and they do
//! nothing. The names are all that is left of them.

pub(super) struct Retired {
    pub(super) name: &'static str,
    pub(super) triggers: &'static [&'static str],
    /// The gate that has its questions now.
    pub(super) instead: Option<&'static str>,
}

pub(super) static RETIRED: &[Retired] = &[
    Retired {
        name: "suiddiff",
        triggers: &["suiddiff", "suidfileadd", "suidfiledel", "suidmodediff"],
        instead: None,
    },
    Retired { name: "imagecheck", triggers: &["baseoutofdate"], instead: None },
    Retired {
        name: "pkgdiff",
        triggers: &["pkgversiondiff", "pkgadd", "pkgdel", "pkgdiff"],
        instead: None,
    },
    Retired {
        name: "anchoresec",
        triggers: &[
            "vulnlow",
            "vulnmedium",
            "vulnhigh",
            "vulncritical",
            "vulnunknown",
            "feedoutofdate",
            "unsupporteddistro",
        ],
        instead: Some("vulnerabilities"),
    },
    Retired { name: "pkgcheck", triggers: &["pkgnotpresent", "verify"], instead: Some("packages") },
    Retired {
        name: "dockerfilecheck",
        triggers: &[
            "directivecheck",
            "effectiveuser",
            "expose",
            "nofrom",
            "fromscratch",
            "notag",
            "sudo",
            "volumepresent",
            "nohealthcheck",
            "nodockerfile",
        ],
        instead: Some("dockerfile"),
    },
    Retired {
        name: "filecheck",
        triggers: &["contentmatch", "filenamematch", "suidsgidcheck"],
        instead: Some("files"),
    },
    Retired {
        name: "fileparse_passwd",
        triggers: &[
            "filenotstored",
            "usernamematch",
            "useridmatch",
            "groupidmatch",
            "shellmatch",
            "pentrymatch",
        ],
        instead: Some("passwd_file"),
    },
    Retired {
        name: "gemcheck",
        triggers: &[
            "gemnotlatest",
            "gemnotofficial",
            "gembadversion",
            "gempkgfullmatch",
            "gempkgnamematch",
            "gemnofeed",
        ],
        // The engine's word for it; the gate is called `ruby_gems`.
        instead: Some("gems"),
    },
    Retired { name: "metadatacheck", triggers: &["attributecheck"], instead: Some("metadata") },
    Retired {
        name: "licblacklist",
        triggers: &["licfullmatch", "licsubmatch"],
        instead: Some("licenses"),
    },
    Retired {
        name: "npmcheck",
        triggers: &[
            "npmnotlatest",
            "npmnotofficial",
            "npmbadversion",
            "npmpkgfullmatch",
            "npmpkgnamematch",
            "npmnofeed",
        ],
        instead: Some("npms"),
    },
    Retired {
        name: "pkgblacklist",
        triggers: &["pkgfullmatch", "pkgnamematch"],
        instead: Some("packages"),
    },
    Retired {
        name: "secretcheck",
        triggers: &["contentmatch", "filenamematch"],
        instead: Some("secret_scans"),
    },
];

pub(super) fn retired(gate: &str) -> Option<&'static Retired> {
    RETIRED.iter().find(|retired| retired.name.eq_ignore_ascii_case(gate))
}
