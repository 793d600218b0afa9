//! A reservation of Kea's as a host of dhcpd's. What dhcpd has and Kea has not is kept in its user context:
//!
//! ```text
//! "user-context": { "omapi": { "name": "pc3", "group": "lab", "statements": "...", "template": "..." } }
//! ```
//!
//! `statements` are the host's own, `template` those of its group when they were written into it.

use std::net::Ipv4Addr;

use kea_hook_runscript::text;
use serde_json::{Map, Value, json};

use crate::statements;

/// Ethernet, if nobody has said otherwise (RFC 1700).
pub const ETHERNET: u8 = 1;
/// The class of all clients that a client of ours has made a host. Kea 2.2 keeps no reservation of nothing.
const CLASS: &str = "omapi";
/// Kea's subnet of reservations that are good in all subnets.
pub const GLOBAL: u32 = 0;
/// What Kea says where there is nothing, and need not be told.
const DEFAULTS: [&str; 3] = ["", "0.0.0.0", "[]"];

/// By what a client is known to Kea.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identifier {
    /// Kea's word.
    pub kind: String,
    pub bytes: Vec<u8>,
}

impl Identifier {
    pub const HARDWARE: &str = "hw-address";
    pub const CLIENT: &str = "client-id";
    pub const KINDS: [&str; 5] = [Identifier::HARDWARE, Identifier::CLIENT, "duid", "circuit-id", "flex-id"];

    pub fn new(kind: &str, bytes: &[u8]) -> Identifier {
        Identifier { kind: kind.into(), bytes: bytes.into() }
    }

    /// Of hexadecimal digits, with colons or without.
    pub fn read(kind: &str, text: &str) -> Option<Identifier> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        let bytes = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        Some(Identifier { kind: kind.into(), bytes: bytes.collect::<Option<_>>()? })
    }

    /// As Kea reads it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        text::colons(&self.bytes, &mut out);
        out
    }
}

/// A reservation as Kea has it, or shall have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reservation(pub Map<String, Value>);

impl Reservation {
    /// One of Kea's answer, without what is there by default.
    pub fn read(value: Value) -> Option<Reservation> {
        let Value::Object(mut map) = value else { return None };
        map.retain(|_, value| !DEFAULTS.contains(&value.as_str().unwrap_or(&value.to_string())));
        Some(Reservation(map))
    }

    pub fn subnet(&self) -> u32 {
        self.0.get("subnet-id").and_then(Value::as_u64).and_then(|id| id.try_into().ok()).unwrap_or(GLOBAL)
    }

    pub fn identifier(&self) -> Option<Identifier> {
        Identifier::KINDS.iter().find_map(|kind| Identifier::read(kind, self.text(kind)?))
    }

    pub fn address(&self) -> Option<Ipv4Addr> {
        self.text("ip-address")?.parse().ok()
    }

    /// The name that a client of ours has given, else Kea's own.
    pub fn name(&self) -> Option<&str> {
        self.omapi("name").or_else(|| self.text("hostname"))
    }

    pub fn hardware_type(&self) -> u8 {
        let number = self.0.get("user-context").and_then(|context| context["omapi"]["hardware-type"].as_u64());
        number.and_then(|number| number.try_into().ok()).unwrap_or(ETHERNET)
    }

    pub fn group(&self) -> Option<&str> {
        self.omapi("group")
    }

    pub fn statements(&self) -> &str {
        self.omapi("statements").unwrap_or_default()
    }

    pub fn template(&self) -> &str {
        self.omapi("template").unwrap_or_default()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    fn omapi(&self, name: &str) -> Option<&str> {
        self.0.get("user-context")?["omapi"][name].as_str()
    }

    /// Sets what identifies it.
    pub fn set_identifier(&mut self, identifier: &Identifier) {
        self.0.insert(identifier.kind.clone(), identifier.text().into());
    }

    /// Sets where it is.
    pub fn set_place(&mut self, subnet: u32, address: Option<Ipv4Addr>) {
        self.0.insert("subnet-id".into(), subnet.into());
        match address {
            Some(address) => self.0.insert("ip-address".into(), address.to_string().into()),
            None => self.0.remove("ip-address"),
        };
    }

    /// Puts it into the class of our hosts.
    pub fn set_class(&mut self) {
        let classes = self.0.entry("client-classes").or_insert_with(|| json!([]));
        if let Some(classes) = classes.as_array_mut().filter(|classes| !classes.contains(&CLASS.into())) {
            classes.push(CLASS.into());
        }
    }

    /// Sets a text of the user context, or takes it away.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        self.set_value(name, value.map(Value::from));
    }

    pub fn set_hardware_type(&mut self, number: u8) {
        self.set_value("hardware-type", (number != ETHERNET).then(|| number.into()));
    }

    fn set_value(&mut self, name: &str, value: Option<Value>) {
        let context = object(self.0.entry("user-context").or_insert(Value::Null));
        let ours = object(context.entry("omapi").or_insert(Value::Null));
        match value {
            Some(value) => ours.insert(name.into(), value),
            None => ours.remove(name),
        };
    }

    /// Takes its statements out, and puts these in: those of its group, and its own.
    ///
    /// # Errors
    /// The first statement that has no counterpart.
    pub fn render(&mut self, template: &str, own: &str) -> Result<(), String> {
        let new = [statements::parse(template)?, statements::parse(own)?].concat();
        // What was written once may have been changed by others since.
        let old = [self.template(), self.statements()].map(|text| statements::parse(text).unwrap_or_default()).concat();
        statements::take(&old, &mut self.0);
        statements::put(&new, &mut self.0);
        self.set("template", Some(template).filter(|text| !text.is_empty()));
        self.set("statements", Some(own).filter(|text| !text.is_empty()));
        Ok(())
    }
}

/// A value as a map, whatever others have put there.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was made one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kea_says_of_a_host() {
        let answer = json!({"boot-file-name": "", "client-classes": [], "hostname": "conf1", "hw-address": "02:00:00:00:0f:01",
            "ip-address": "192.0.2.201", "next-server": "0.0.0.0", "option-data": [], "server-hostname": "", "subnet-id": 1});
        let host = Reservation::read(answer).unwrap();
        assert_eq!(host.0.len(), 4);
        assert_eq!(host.identifier(), Some(Identifier::new("hw-address", &[2, 0, 0, 0, 0x0f, 1])));
        assert_eq!((host.subnet(), host.address(), host.name()), (1, Some([192, 0, 2, 201].into()), Some("conf1")));
        assert_eq!((host.hardware_type(), host.group()), (ETHERNET, None));
        assert_eq!(Reservation::default().identifier(), None);
    }

    #[test]
    fn a_group_s_statements_go_and_others_stay() {
        let mut host = Reservation::read(json!({"client-id": "0102", "server-hostname": "boots",
            "user-context": {"comment": "theirs"}}))
        .unwrap();
        host.0["user-context"]["omapi"] = json!("theirs, too");
        host.set("name", Some("pc3"));
        host.render("option routers 192.0.2.1;", "filename \"a\";").unwrap();
        assert_eq!((host.template(), host.statements()), ("option routers 192.0.2.1;", "filename \"a\";"));
        assert_eq!(
            (host.0["boot-file-name"].as_str(), host.0["option-data"].as_array().unwrap().len()),
            (Some("a"), 1)
        );
        let before = host.clone();
        assert!(host.render("nonsense;", "").is_err());
        assert_eq!(host, before);
        host.render("", "").unwrap();
        assert_eq!(
            Value::Object(host.0),
            json!({"client-id": "0102", "server-hostname": "boots", "option-data": [],
            "user-context": {"comment": "theirs", "omapi": {"name": "pc3"}}})
        );
    }
}
