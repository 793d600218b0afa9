use super::*;

fn options(text: &str) -> Vec<(u8, String)> {
    let all = parse(text).unwrap_or_else(|what| panic!("{text}: {what}"));
    all.iter()
        .map(|statement| match statement {
            Statement::Option(code, data) => (*code, data.iter().map(|byte| format!("{byte:02x}")).collect()),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn what_clients_send() {
    let text = "supersede host-name \"pc6\";\n supersede routers 192.0.2.254;\n supersede domain-name \"example.org\";";
    let wanted = [(12, "706336"), (3, "c00002fe"), (15, "6578616d706c652e6f7267")];
    assert_eq!(options(text), wanted.map(|(code, data)| (code, data.to_string())));
    assert_eq!(parse(""), Ok(vec![]));
    assert_eq!(
        parse("filename \"pxelinux.0\"; next-server 192.0.2.9;ddns-hostname \"pc\"; deny booting").unwrap(),
        [
            Statement::Filename("pxelinux.0".into()),
            Statement::NextServer(Ipv4Addr::new(192, 0, 2, 9)),
            Statement::DdnsHostname("pc".into()),
            Statement::DenyBooting,
        ]
    );
    // As Foreman's proxy writes, and dhcpd itself.
    assert_eq!(
        parse(
            "filename = \"a\"; next-server = c0:00:02:09; supersede server.server-name = \"tftp\"; server-name \"b\"; \
             supersede server.ddns-hostname = \"pc\"; ignore booting; supersede server.allow-booting = 02;"
        )
        .unwrap(),
        [
            Statement::Filename("a".into()),
            Statement::NextServer(Ipv4Addr::new(192, 0, 2, 9)),
            Statement::ServerName("tftp".into()),
            Statement::ServerName("b".into()),
            Statement::DdnsHostname("pc".into()),
            Statement::DenyBooting,
            Statement::DenyBooting,
        ]
    );
}

#[test]
fn every_format() {
    for (text, code, data) in [
        ("option routers 192.0.2.1, 192.0.2.2;", 3, "c0000201c0000202"),
        ("option static-routes 10.0.0.0 192.0.2.1,10.1.0.0 192.0.2.2;", 33, "0a000000c00002010a010000c0000202"),
        ("option time-offset -3600;", 2, "fffff1f0"),
        ("option interface-mtu 1500;", 26, "05dc"),
        ("option default-ip-ttl 0x40;", 23, "40"),
        ("option path-mtu-plateau-table 68, 0200;", 25, "00440080"),
        ("option ip-forwarding on;", 19, "01"),
        ("option slp-directory-agent true 192.0.2.1, 192.0.2.2;", 78, "01c0000201c0000202"),
        ("option root-path \"/a\\\"b\";", 17, "2f612262"),
        ("option host-name pc3;", 12, "706333"),
        ("option domain-search \"a.example\", \"b.example.\";", 119, "0161076578616d706c65000162076578616d706c6500"),
        ("option vendor-class-identifier \"PXE\";", 60, "505845"),
        ("option vendor-encapsulated-options 1:2:ff;", 43, "0102ff"),
        ("supersede classless-static-routes 08:0a:c0:a8:01:01;", 121, "080ac0a80101"),
        ("option unknown-224 \"\\x00a\";", 224, "0061"),
        ("option classless-static-routes 24, 10, 0, 0, 192, 0, 2, 1;", 121, "180a0000c0000201"),
        ("send host-name \"n1\";", 12, "6e31"),
        ("supersede host-name = \"pc3\";", 12, "706333"),
        ("option routers=c0:00:02:01;", 3, "c0000201"),
        ("option routers c0:00:02:01;", 3, "c0000201"),
        ("supersede domain-name-servers = concat(c0:00:02:01, c0:00:02:02);", 6, "c0000201c0000202"),
        (
            "supersede routers = concat (concat (c0:00:02:01, c0:00:02:02), concat(c0:00:02:03));",
            3,
            "c0000201c0000202c0000203",
        ),
        ("option domain-name = concat(\"a\",\".b\");", 15, "612e62"),
        ("# comment\noption pxe-client-id 0 00:11;", 97, "000011"),
    ] {
        assert_eq!(options(text), [(code, data.to_string())], "{text}");
    }
}

#[test]
fn the_rest_is_refused_and_named() {
    for (text, what) in [
        ("nonsense here;", "nonsense: no statement"),
        ("option routers \"a\";", "option: routers: an IPv4 address expected instead of \"a\""),
        ("option routers gw.example.org;", "gw.example.org is no IPv4 address"),
        ("option routers;", "an IPv4 address expected before ';'"),
        ("option routers 192.0.2.1 192.0.2.2;", "';' expected instead of 192.0.2.2"),
        ("option no-such 1;", "no-such: no option"),
        ("option dhcp-lease-time 60;", "dhcp-lease-time: no option"),
        ("option interface-mtu 65536;", "out of range"),
        ("option domain-search \"a..b\";", "label"),
        ("option vendor-encapsulated-options 1:234;", "234 is no byte"),
        ("if known { filename \"a\"; }", "if: no statement"),
        ("deny leasequery;", "leasequery: only booting"),
        ("option host-name = pick(\"a\");", "pick is no byte"),
        ("option host-name = concat(\"a\" \"b\");", "concat's ',' or ')' expected instead of \"b\""),
        ("option host-name = concat;", "concat's"),
        ("option host-name = \"a\" = \"b\";", "';' expected instead of ="),
        ("option host-name \"\";", "host-name: is empty"),
        ("ddns-hostname \"a..b\";", "ddns-hostname: is no name for DNS"),
        ("next-server = c0:00:02;", "next-server: 3 bytes are no IPv4 address"),
        ("default host-name \"a\";", "default: no statement"),
        ("option host-name \"a", "not understood"),
        ("filename \"a\\n\";", "control"),
        ("\u{202e};", r"\xe2\x80\xae"),
    ] {
        let complaint = parse(text).unwrap_err();
        assert!(complaint.contains(what), "{text}: {complaint}");
    }
    assert_eq!(parse(&format!("option {};", "a".repeat(5000))).unwrap_err().len(), 300);
    assert!(parse(&"option host-name \"a\";".repeat(2000)).is_err());
    assert!(parse(&format!("option host-name \"{}\";", "a".repeat(256))).is_err());
}

#[test]
fn what_is_put_into_a_reservation_can_be_taken_out() {
    let Value::Object(before) = json!({"hw-address": "02:00:00:00:00:01", "client-classes": ["gold"],
        "option-data": [{"code": 3, "space": "other", "data": "01"}]})
    else {
        unreachable!()
    };
    let text =
        "option host-name \"a\"; option routers 192.0.2.1; option routers 192.0.2.2; filename \"f\"; deny booting;";
    let statements = parse(text).unwrap();
    let mut reservation = before.clone();
    put(&statements, &mut reservation);
    assert_eq!(reservation["hostname"], "a");
    assert_eq!(reservation["boot-file-name"], "f");
    assert_eq!(reservation["client-classes"], json!(["gold", "DROP"]));
    assert_eq!(reservation["option-data"].as_array().unwrap().len(), 3);
    assert_eq!(reservation["option-data"][2]["data"], "C0000202");
    take(&statements, &mut reservation);
    assert_eq!(reservation, before);
}

#[test]
fn a_name_for_dns_goes_before_the_option() {
    for text in ["ddns-hostname \"d\"; option host-name \"o\";", "option host-name \"o\"; ddns-hostname \"d\";"] {
        let mut reservation = Map::new();
        put(&parse(text).unwrap(), &mut reservation);
        assert_eq!((&reservation["hostname"], &reservation["option-data"][0]["data"]), (&json!("d"), &json!("6F")));
    }
}
