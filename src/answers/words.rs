//! Answers from words of a command line, for scripts without a way to quote JSON.

use serde_json::{Value, json};

use super::{Kind, ROWS, Row, find, keep, names, reservation};
use crate::text::{GLIMPSE, excerpt};
use crate::verdict::{Next, Wishes};

/// The object that words such as `valid-lft=600` stand for; why not, otherwise.
pub fn object(words: &[String]) -> Result<String, String> {
    let mut wishes = Wishes::default();
    for word in words {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word.as_str(), None),
        };
        add(&mut wishes, key, value).map_err(|reason| format!("{}: {reason}", excerpt(word, GLIMPSE)))?;
    }
    serde_json::to_string(&wishes).map_err(|error| error.to_string())
}

/// `None`: the word has no `=`.
fn add(wishes: &mut Wishes, key: &str, value: Option<&str>) -> Result<(), String> {
    let (key, option) = match key.split_once(':') {
        Some((key, option)) => (key, Some(option)),
        None => (key, None),
    };
    let row = find(key);
    let value = match (row.map(|row| row.kind), option, value) {
        (Some(Kind::QueryOptions), Some(option), data) => query_option_of(option, data),
        (_, _, None) => return Err("give KEY=VALUE".into()),
        (Some(Kind::Reservation), part, Some(value)) => return add_reserved(wishes, key, part, value),
        (Some(Kind::Options), Some(option), Some(data)) => option_of(option, data),
        (Some(Kind::Options | Kind::QueryOptions), None, _) => return Err(format!("give {key}:NAME=DATA")),
        (_, Some(_), _) => {
            return Err(format!("only option-data and query-option-data take a name: give {key}=VALUE"));
        }
        (Some(Kind::Number), _, Some(value)) => value.parse().map_or(Value::from(value), |n: u64| n.into()),
        (Some(_), _, Some(value)) => Value::from(value),
        (None, _, Some(value)) if key == "next" => next(value)?,
        (None, _, Some(value)) if key == keep::NAME => keep_for(value)?,
        (None, ..) => return Err(format!("no such key; the keys are: next, {}", names())),
    };
    row.map_or(Ok(()), |row| row.check(&value))?;
    let present = wishes.0.iter_mut().find(|(other, _)| other == key).map(|(_, value)| value);
    match (present, row.is_some_and(Row::is_list)) {
        (Some(Value::Array(list)), true) => list.push(value),
        (Some(_), _) => return Err("is given twice: give it once".into()),
        (None, true) => wishes.0.push((key.into(), json!([value]))),
        (None, false) => wishes.0.push((key.into(), value)),
    }
    Ok(())
}

/// `reservation:hostname=printer`, `reservation:option-data:routers=192.0.2.1`, `reservation=null`.
fn add_reserved(wishes: &mut Wishes, key: &str, part: Option<&str>, value: &str) -> Result<(), String> {
    let position = wishes.0.iter().position(|(other, _)| other == key);
    let Some(part) = part else {
        if (value, position) != ("null", None) {
            return Err(format!("give {key}:KEY=VALUE, or once {key}=null"));
        }
        wishes.0.push((key.into(), Value::Null));
        return Ok(());
    };
    let (name, option) = part.split_once(':').map_or((part, None), |(name, option)| (name, Some(option)));
    let row = reservation::find(name)
        .ok_or_else(|| format!("no such key of a reservation; the keys are: {}", reservation::names()))?;
    let value = match (row.kind, option) {
        (Kind::Options, Some(option)) => option_of(option, value),
        (Kind::Options, None) => return Err(format!("give {key}:{name}:NAME=DATA")),
        (Kind::Text | Kind::Texts, None) => Value::from(value),
        _ => return Err(format!("give it in JSON: {{\"{key}\": {{\"{name}\": ...}}}}")),
    };
    let position = position.unwrap_or_else(|| {
        wishes.0.push((key.into(), json!({})));
        wishes.0.len() - 1
    });
    let Value::Object(map) = &mut wishes.0[position].1 else { return Err("is given beside null: give one".into()) };
    match (map.get_mut(name), row.kind) {
        (Some(Value::Array(list)), _) => list.push(value),
        (Some(_), _) => return Err("is given twice: give it once".into()),
        (None, Kind::Texts | Kind::Options) => drop(map.insert(name.into(), json!([value]))),
        (None, _) => drop(map.insert(name.into(), value)),
    }
    find(key).map_or(Ok(()), |row| row.check(&wishes.0[position].1))
}

fn next(value: &str) -> Result<Value, String> {
    let value = Value::from(value);
    match serde_json::from_value::<Next>(value.clone()) {
        Ok(_) => Ok(value),
        Err(_) => Err("give continue, skip or drop".into()),
    }
}

fn keep_for(value: &str) -> Result<Value, String> {
    let value = value.parse().map_or(Value::from(value), |seconds: u64| seconds.into());
    keep::time(&value).map(|_| value)
}

/// By name, or by code.
fn option_of(option: &str, data: &str) -> Value {
    match option.parse::<u32>() {
        Ok(code) => json!({ "code": code, "data": data }),
        Err(_) => json!({ "name": option, "data": data }),
    }
}

/// The same of the query; without data, the option shall go. No name of Kea's has a dot in it: what stands before one
/// says whose option it is.
fn query_option_of(option: &str, data: Option<&str>) -> Value {
    let (whose, option) = option.split_once('.').unwrap_or(("", option));
    let mut map = option_of(option, "");
    map["data"] = data.into();
    match (whose, whose.strip_prefix("relay").map(str::parse::<u32>)) {
        ("", _) => {}
        (_, Some(Ok(relay))) => map["relay"] = relay.into(),
        (whose, _) if SUB_OPTIONS.contains(&whose) => map["space"] = AGENT_SPACE.into(),
        // Kea knows no such space, and says so.
        (whose, _) => map["space"] = whose.into(),
    }
    map
}

/// Whose sub-options have a space of their own: by its code, or by Kea's name.
const SUB_OPTIONS: [&str; 2] = ["82", "dhcp-agent-options"];
const AGENT_SPACE: &str = "dhcp-agent-options-space";

/// For the help of the command line.
pub fn help() -> String {
    let word = |row: &Row| match row.kind {
        Kind::Options | Kind::QueryOptions => format!("{}:NAME=DATA", row.name),
        Kind::Reservation => format!("{}:KEY=VALUE", row.name),
        _ => format!("{}=VALUE", row.name),
    };
    let line = |row: &Row| format!("\n  {:<24} {}", word(row), row.bounds.replace('`', ""));
    let rows = ROWS.iter().map(line).collect::<String>();
    format!("Keys:\n  next=continue|skip|drop{rows}\n  {:<24} {}", format!("{}=SECONDS", keep::NAME), keep::BOUNDS_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str]) -> Result<String, String> {
        object(&words.iter().map(|word| word.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn each_key_has_its_words() {
        assert_eq!(said(&[]).unwrap(), "{}");
        let words = [
            "next=continue",
            "client-classes=known",
            "subnet-id=2",
            "client-classes=gu\"est=",
            "option-data:routers=192.0.2.1, 192.0.2.2",
            "option-data:223=0x01",
            "valid-lft=3600",
            "boot-file-name=",
            "flex-id=0x01ff",
            "keep-for=60",
        ];
        assert_eq!(
            said(&words).unwrap(),
            r#"{"next":"continue","client-classes":["known","gu\"est="],"subnet-id":2,"option-data":[{"data":"192.0.2.1, 192.0.2.2","name":"routers"},{"code":223,"data":"0x01"}],"valid-lft":3600,"boot-file-name":"","flex-id":"0x01ff","keep-for":60}"#
        );
    }

    #[test]
    fn a_reservation_has_words_of_its_own() {
        let words = [
            "reservation:ip-address=192.0.2.10",
            "reservation:client-classes=a",
            "reservation:option-data:routers=192.0.2.1",
            "reservation:client-classes=b",
            "reservation:option-data:223=0x01",
        ];
        assert_eq!(
            said(&words).unwrap(),
            r#"{"reservation":{"client-classes":["a","b"],"ip-address":"192.0.2.10","option-data":[{"data":"192.0.2.1","name":"routers"},{"code":223,"data":"0x01"}]}}"#
        );
        assert_eq!(said(&["reservation=null"]).unwrap(), r#"{"reservation":null}"#);
        assert!(said(&["reservation=null", "reservation:hostname=a"]).is_err());
        assert!(said(&["reservation:hostname=a", "reservation=null"]).is_err());
        assert!(said(&["reservation:hostname=a", "reservation:hostname=a"]).unwrap_err().contains("twice"));
    }

    #[test]
    fn options_of_the_query_are_the_clients_the_agents_or_a_relays() {
        let words =
            ["60=PXE", "host-name", "82.link-selection=192.0.2.0", "82.150", "dhcp-agent-options.5=", "relay1.18=0x01"];
        let words = words.map(|word| format!("query-option-data:{word}"));
        let object: Value = serde_json::from_str(&said(&words.each_ref().map(String::as_str)).unwrap()).unwrap();
        let space = "dhcp-agent-options-space";
        let options = json!([
            { "code": 60, "data": "PXE" },
            { "name": "host-name", "data": null },
            { "name": "link-selection", "data": "192.0.2.0", "space": space },
            { "code": 150, "data": null, "space": space },
            { "code": 5, "data": "", "space": space },
            { "code": 18, "data": "0x01", "relay": 1 },
        ]);
        assert_eq!(object, json!({ "query-option-data": options }));
    }

    #[test]
    fn every_key_can_be_said() {
        for row in ROWS {
            let word = match row.kind {
                Kind::Options | Kind::QueryOptions => format!("{}:routers=192.0.2.1", row.name),
                Kind::Number => format!("{}=1", row.name),
                Kind::Reservation => format!("{}:option-data:routers=192.0.2.1", row.name),
                Kind::Text | Kind::Texts => format!("{}=192.0.2.1", row.name),
            };
            let object: Value = serde_json::from_str(&object(&[word]).unwrap()).unwrap();
            let items = object[row.name].as_array().cloned().unwrap_or(vec![object[row.name].clone()]);
            assert!(items.iter().all(|item| row.check(item).is_ok()), "{}", row.name);
            assert!(help().contains(&format!("\n  {}", row.name)));
        }
    }

    #[test]
    fn what_a_client_says_stays_in_its_quotes() {
        for hostile in ["x\",\"next\":\"drop", "\\", "a\nb", "\u{1}", "}{", "größe", "'"] {
            let said = said(&[&format!("boot-file-name={hostile}")]).unwrap();
            let object: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(object, json!({ "boot-file-name": hostile }));
        }
    }

    #[test]
    fn a_mistake_is_named() {
        let refused = |word: &str, words: &str| {
            let refusal = said(&[word]).expect_err(word);
            assert!(refusal.starts_with(&format!("{word}: ")) && refusal.contains(words), "{refusal}");
        };
        refused("hello", "give KEY=VALUE");
        refused("colour=red", "no such key; the keys are: next, client-classes, ");
        refused("next=explode", "give continue, skip or drop");
        refused("subnet-id=two", "give a whole number from 1 to 4294967295");
        refused("subnet-id=4294967296", "give a whole number from 1 to 4294967295");
        refused("keep-for=0", "give a whole number of seconds from 1 to 86400");
        refused("keep-for=a day", "give a whole number of seconds from 1 to 86400");
        refused("hostname=a b", "give a domain name");
        refused("next-server=::1", "give an IPv4 address");
        refused("flex-id=0x1", "an even number of hex digits");
        refused("option-data=x", "give option-data:NAME=DATA");
        refused("option-data:70000=x", "give the code as a number from 1 to 65535");
        refused("reservation=x", "give reservation:KEY=VALUE");
        refused("reservation:colour=red", "no such key of a reservation; the keys are: ip-address, ");
        refused("reservation:hw-address=02:00:00:00:00:01", "no such key of a reservation");
        refused("reservation:option-data=x", "give reservation:option-data:NAME=DATA");
        refused("reservation:user-context=x", "give it in JSON");
        refused("reservation:hostname:x=y", "give it in JSON");
        refused("reservation:ip-address=::1", "\"ip-address\": give an IPv4 address");
        refused("hostname:x=y", "only option-data and query-option-data take a name");
        refused("option-data:routers", "give KEY=VALUE");
        refused("query-option-data", "give KEY=VALUE");
        refused("query-option-data=x", "give query-option-data:NAME=DATA");
        refused("query-option-data:82.70000=x", "give the code as a number from 1 to 65535");
        refused("query-option-data:relay256.18=x", "give relay as a number");
        assert_eq!(said(&["hostname=a", "hostname=a"]).unwrap_err(), "hostname=a: is given twice: give it once");
    }
}
