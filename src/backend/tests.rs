use super::*;

fn backend(kind: Kind, url: &str) -> Result<Backend, Error> {
    let token = Credentials::Token(Secret::new("hunter2-token"));
    Backend::new(kind, url, &token, &NetOptions::default(), Limits::default())
}

#[test]
fn addresses_are_those_of_the_api() {
    for (kind, url, expected) in [
        (Kind::Sysdig, "https://s.example/", "https://s.example/api/scanning/v1/anchore/status"),
        (Kind::Sysdig, "s.example/x", "https://s.example/x/api/scanning/v1/anchore/status"),
        (Kind::Anchore, "http://e.example:8228", "http://e.example:8228/v1/status"),
        (Kind::Anchore, "http://e.example:8228/v1/", "http://e.example:8228/v1/status"),
    ] {
        assert_eq!(backend(kind, url).unwrap().anchore("status").as_str(), expected);
    }
    for wrong in
        ["", "ftp://x", "https://me:secret@x", "https://x/?a=b", "https://x/#b", "https://"]
    {
        let error = backend(Kind::Sysdig, wrong).err().expect("refused").to_string();
        assert!(error.contains("the backend's address") && !error.contains("secret"), "{error}");
    }
}

#[test]
fn what_a_server_repeats_of_a_token_is_not_shown() {
    let token = backend(Kind::Sysdig, "https://x").unwrap();
    assert_eq!(token.without_secrets("no: Bearer hunter2-token!"), "no: Bearer ***!");
    let credentials = Credentials::Basic { user: "me".into(), password: Secret::new("hunter2") };
    let (net, limits) = (NetOptions::default(), Limits::default());
    let basic = Backend::new(Kind::Anchore, "https://x", &credentials, &net, limits).unwrap();
    assert_eq!(basic.without_secrets("bWU6aHVudGVyMg== hunter2"), "*** ***");
}

#[test]
fn the_page_of_an_image_is_named_as_the_legacy_scanner_names_it() {
    let page = |url: &str, on_premises| {
        backend(Kind::Sysdig, url).unwrap().page("sha256:1", "docker.io/a:1", on_premises).unwrap()
    };
    let end = "#/scanning/scan-results/docker.io%2Fa%3A1/sha256:1/summaries";
    assert_eq!(page(SYSDIG_API, false), format!("{SYSDIG_UI}/{end}"));
    assert_eq!(page("https://own.example", true), format!("https://own.example/secure/{end}"));
}
