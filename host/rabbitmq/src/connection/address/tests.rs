//! What URLs mean, and which are refused.

use proptest::prelude::*;

use super::*;

/// What a URL shows, and what is sent: user, password, host, port and virtual host.
#[test]
fn a_password_is_left_out_unless_everybody_knows_it() {
    let without = |text: &str| text.parse::<Address>().unwrap().without_password();
    assert_eq!(without("amqps://me:s3cret%40@b:1/v?heartbeat=9"), "amqps://me@b:1/v?heartbeat=9");
    for text in ["amqp://guest:guest@b/%2f", "amqp://b:5673"] {
        assert_eq!(without(text), text);
    }
}

#[test]
fn every_part_is_what_was_written() {
    for (url, shown, sent) in [
        ("amqp://", "amqp://guest@localhost:5672/%2f", ("guest", "guest", "localhost", 5672, "/")),
        ("amqp://h", "amqp://guest@h:5672/%2f", ("guest", "guest", "h", 5672, "/")),
        ("AMQPS://h/", "amqps://guest@h:5671/%2f", ("guest", "guest", "h", 5671, "/")),
        ("amqp://h/%2f", "amqp://guest@h:5672/%2f", ("guest", "guest", "h", 5672, "/")),
        ("amqp://h//", "amqp://guest@h:5672/%2f", ("guest", "guest", "h", 5672, "/")),
        ("amqp:///v", "amqp://guest@localhost:5672/v", ("guest", "guest", "localhost", 5672, "v")),
        ("amqp://:1", "amqp://guest@localhost:1/%2f", ("guest", "guest", "localhost", 1, "/")),
        ("amqp://h:/", "amqp://guest@h:5672/%2f", ("guest", "guest", "h", 5672, "/")),
        ("amqp://h:65535", "amqp://guest@h:65535/%2f", ("guest", "guest", "h", 65535, "/")),
        ("amqp://u:p@/v", "amqp://u@localhost:5672/v", ("u", "p", "localhost", 5672, "v")),
        ("amqp://:@/", "amqp://@localhost:5672/%2f", ("", "", "localhost", 5672, "/")),
        ("amqp://guest:@h", "amqp://guest@h:5672/%2f", ("guest", "", "h", 5672, "/")),
        ("amqp://u:a,b:c@h", "amqp://u@h:5672/%2f", ("u", "a,b:c", "h", 5672, "/")),
        ("amqp://u%40d:p@ss+{}@h", "amqp://u%40d@h:5672/%2f", ("u@d", "p@ss+{}", "h", 5672, "/")),
        ("amqp://%1b:%25%0a@h", "amqp://%1B@h:5672/%2f", ("\u{1b}", "%\n", "h", 5672, "/")),
        (
            "amqp://user%61:%61pass@ho%61st:10000/v%2fhost",
            "amqp://usera@hoast:10000/v%2Fhost",
            ("usera", "apass", "hoast", 10000, "v/host"),
        ),
        ("amqp://h/..", "amqp://guest@h:5672/..", ("guest", "guest", "h", 5672, "..")),
        ("amqp://h/%2E", "amqp://guest@h:5672/.", ("guest", "guest", "h", 5672, ".")),
        ("amqp://h/ö", "amqp://guest@h:5672/%C3%B6", ("guest", "guest", "h", 5672, "ö")),
        ("amqp://127.0.0.1", "amqp://guest@127.0.0.1:5672/%2f", ("guest", "guest", "127.0.0.1", 5672, "/")),
        ("amqp://[::1]:1/", "amqp://guest@[::1]:1/%2f", ("guest", "guest", "::1", 1, "/")),
        (
            "amqp://u:p@[2001:DB8::1]/%2f",
            "amqp://u@[2001:db8::1]:5672/%2f",
            ("u", "p", "2001:db8::1", 5672, "/"),
        ),
        (
            "amqp://[fe80::1%25eth0]:1",
            "amqp://guest@[fe80::1%25eth0]:1/%2f",
            ("guest", "guest", "fe80::1%eth0", 1, "/"),
        ),
        ("amqp://h?heartbeat=5", "amqp://guest@h:5672/%2f", ("guest", "guest", "h", 5672, "/")),
    ] {
        let address: Address = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        let AMQPUri { authority: AMQPAuthority { userinfo, host, port }, vhost, .. } = address.uri();
        let is = (&*userinfo.username, &*userinfo.password, &*host, port, &*vhost);
        assert_eq!((&*address.to_string(), is), (shown, sent), "{url}");
        assert_eq!(format!("{address:?}"), shown);
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    for (url, reason) in [
        ("", "no scheme"),
        ("user:s3cret@h", "no scheme"),
        ("amqp:h", "`://` is missing"),
        ("AMQPS//u:s3cret@h", "`://` is missing"),
        ("http://u:s3cret@h", "http is for"),
        ("\"amqp://u:s3cret@h/%2f\"", "the value is \"...@h/%2f\", of which"),
        ("'amqp://s3cret'", "the value is '...', of which"),
        ("'s3cret", "the value is '..., of which"),
        ("ftp://h", "the scheme is neither"),
        ("s3cret://h", "the scheme is neither"),
        ("amqp://h:0", "the port"),
        ("amqp://h:65536", "the port"),
        ("amqp://h:+1", "the port"),
        ("amqp://h:s3cret", "the port"),
        ("amqp://u:s3c\tret@h", "a space"),
        (" amqp://h", "a space"),
        ("amqp://u:s3cret%@h", "a `%`"),
        ("amqp://u:s3cret%+1@h", "a `%`"),
        ("amqp://u:s3cret%€@h", "a `%`"),
        ("amqp://u:s3cret%ff@h", "what is percent-encoded"),
        ("amqp://u:s3cret%00@h", "%00"),
        ("amqp://h/%ff", "what is percent-encoded"),
        ("amqp://u@h", "a user without a password"),
        ("amqp://@h", "a user without a password"),
        ("amqp://u:7/s3cret@h", "a `/`, `?` or `#`"),
        ("amqp://h/v#s3cret", "a `#`"),
        ("amqp://h/a/b", "a `/` in the name"),
        ("amqp://h/a/", "a `/` in the name"),
        ("amqp://one,two", "several brokers"),
        ("amqp://u:s3cret@one:1,two:2/", "several brokers"),
        ("amqp://u:s3cret@one,u:s3cret@two", "several brokers"),
        ("amqp://::1", "an IPv6 address"),
        ("amqp://2001:db8:0:0:0:0:0:1:5672", "an IPv6 address"),
        ("amqp://h:5672:5672", "there is more than one port"),
        ("amqp://127.0.0.1:1:1", "there is more than one port"),
        ("amqp://[::1]1", "there is something"),
        ("amqp://[::1", "an IPv6 address"),
        ("amqp://h/?timeout=1", "no parameter is called `timeout`"),
        ("amqp://h/?%ff=1", "no parameter is called `%ff`"),
        ("amqp://h/?heartbeat=1&heartbeat=1", "heartbeat: it is given twice"),
        ("amqp://h/?heartbeat", "heartbeat: it has no value"),
        ("amqp://h/?heartbeat=%f", "heartbeat: a `%`"),
        ("amqp://h/?heartbeat=abc", "heartbeat=abc: expected seconds"),
        ("amqp://h/?heartbeat=-1", "heartbeat=-1: expected seconds"),
        ("amqp://h/?heartbeat=%1b", "heartbeat=\\u{1b}: expected seconds"),
        ("amqp://h/?heartbeat=65536", "heartbeat=65536: expected seconds"),
        ("amqp://h/?channel_max=99999", "channel_max=99999: expected a number"),
        ("amqp://h/?frame_max=4095", "frame_max=4095: expected bytes"),
        ("amqp://h/?connection_timeout=0", "connection_timeout=0: expected milliseconds"),
        ("amqp://h/?auth_mechanism=wrong", "auth_mechanism=wrong: expected plain"),
        ("amqp://h/?cacertfile=/x/ca.pem", "cacertfile: goes with TLS, which begins with amqps://"),
        ("amqps://h/?cacertfile=", "cacertfile: it has no value"),
        ("amqps://h/?certfile=/x/cert.pem", "certfile: needs keyfile=FILE too"),
        ("amqps://h/?keyfile=/x/key.pem", "keyfile: needs certfile=FILE too"),
        ("amqps://h/?server_name_indication=a%20b", "server_name_indication: this is no host's name"),
        ("amqps://a..b/", "server_name_indication: needed"),
    ] {
        let error = url.parse::<Address>().expect_err(url).to_string();
        assert!(error.starts_with(reason) && !error.contains("s3cret"), "{url}: {error}");
    }
}

#[test]
fn parameters_are_taken_as_they_are_written() {
    let address: Address =
        "amqps://h/?cacertfile=%2Fa%20b%2Fc++.pem&heartbeat=0&channel_max=0&frame_max=0&connection_timeout=7"
            .parse()
            .unwrap();
    let authorities = address.tls().and_then(|tls| tls.authorities.clone());
    assert_eq!(authorities.as_deref(), Some("/a b/c++.pem".as_ref()));
    let query = address.uri().query;
    assert_eq!((query.heartbeat, query.channel_max, query.frame_max), (Some(0), Some(0), Some(0)));
    assert_eq!(address.timeout(), Duration::from_millis(7));
    assert_ne!(address, "amqps://h/".parse().unwrap());
}

#[test]
fn a_user_who_is_not_named_to_the_broker_is_not_shown() {
    for url in ["amqps://h/?auth_mechanism=external", "amqps://user@h/?auth_mechanism=EXTERNAL"] {
        assert_eq!(url.parse::<Address>().unwrap().to_string(), "amqps://h:5671/%2f");
    }
}

#[test]
fn the_server_of_tls_has_no_zone() {
    let address: Address = "amqps://[fe80::1%25eth0]/".parse().unwrap();
    let name = address.tls().map(|tls| tls.server_name.to_str().into_owned());
    assert_eq!(name.as_deref(), Some("fe80::1"));
}

proptest! {
    /// Whatever is wrong around it, and in it.
    #[test]
    fn the_password_is_never_shown(
        scheme in "(amqps?|AMQP|http|[a-z]{0,3})(://|:|/|)",
        user in "[a-z@%:/?#,\\[\\] .\u{0}-\u{ff}]{0,4}",
        before in "[a-z0-9@%:/?#,&=\\[\\] \u{0}-\u{ff}]{0,4}",
        after in "[a-z0-9@%:/?#,&=\\[\\] \u{0}-\u{ff}]{0,4}",
        rest in "[a-z0-9.:/%\\[\\]]{0,8}(/[a-z%]{0,3})?(\\?(heartbeat|cacertfile|a)=[a-z0-9%@#]{0,3})?",
    ) {
        let url = format!("{scheme}{user}:{before}s3cret{after}@{rest}");
        let (shown, debugged) = match url.parse::<Address>() {
            Ok(address) => (address.to_string(), format!("{address:?}")),
            Err(error) => (error.to_string(), format!("{error:?}")),
        };
        prop_assert!(!shown.contains("s3cret") && !debugged.contains("s3cret"), "{url}: {shown} {debugged}");
    }
}

#[test]
fn a_password_is_for_a_user_who_has_none() {
    let with = |url: &str| {
        let address = Address::with_password(url, "a/b@c%").unwrap();
        (address.access().user.to_owned(), address.access().password.to_owned())
    };
    assert_eq!(with("amqp://bob@h/v?heartbeat=5"), ("bob".to_owned(), "a/b@c%".to_owned()));
    assert_eq!(with("amqp://bob:own@h"), ("bob".to_owned(), "own".to_owned()));
    assert_eq!(with("amqp://bob:@h"), ("bob".to_owned(), String::new()));
    assert_eq!(with("amqp://h"), ("guest".to_owned(), "guest".to_owned()));
    assert!(Address::with_password("http://bob@h", "s3cret").is_err());
}
