//! Typed reading of Kea's parameters; a refusal names key, value and remedy.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

use super::parameters::{PARAMETERS, Parameter};

/// Why the parameters are refused.
#[derive(Debug)]
pub struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A map of parameters and where it stands.
pub struct Section<'a> {
    /// As in `scripts[0].`; empty at the top.
    place: Cow<'a, str>,
    map: Cow<'a, Map<String, Value>>,
}

impl<'a> Section<'a> {
    pub fn new(place: impl Into<Cow<'a, str>>, value: &'a Value) -> Result<Self, Refusal> {
        let place = place.into();
        match value {
            Value::Null if place.is_empty() => Ok(Section { place, map: Cow::Owned(Map::new()) }),
            Value::Object(map) => Ok(Section { place, map: Cow::Borrowed(map) }),
            _ => {
                let (place, value) = (place.trim_end_matches('.'), outline(value));
                Err(Refusal(format!("parameter \"{place}\": {value} is not a map: give one")))
            }
        }
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key)
    }

    /// The key itself if it is there.
    pub fn has<'k>(&self, key: &'k str) -> Option<&'k str> {
        self.map.contains_key(key).then_some(key)
    }

    /// Whichever of a parameter's two names is there.
    pub fn alias<'k>(&self, key: &'k str, alias: &'k str) -> Result<Option<&'k str>, Refusal> {
        match (self.has(key), self.has(alias)) {
            (Some(_), Some(_)) => Err(self.refuse(alias, &format!("is another name of \"{key}\": give one of them"))),
            (found, other) => Ok(found.or(other)),
        }
    }

    /// Refuses keys that we do not know.
    pub fn check_keys(&self) -> Result<(), Refusal> {
        for key in self.keys() {
            if !PARAMETERS.iter().any(|row| row.names().any(|name| name == key)) {
                let allowed = |row: &&Parameter| row.name != "scripts" || self.place.is_empty();
                let known: Vec<_> = PARAMETERS.iter().filter(allowed).map(|row| row.name).collect();
                return Err(self.refuse(key, &format!("is unknown; the parameters are: {}", known.join(", "))));
            }
            if key == "scripts" {
                return Err(self.refuse(key, "cannot stand inside another"));
            }
        }
        Ok(())
    }

    /// Refuses every key but these, which are `what`.
    pub fn only(&self, keys: &[&str], what: &str) -> Result<(), Refusal> {
        match self.keys().find(|key| !keys.contains(key)) {
            Some(key) => Err(self.refuse(key, &format!("is unknown; {what} are: {}", keys.join(", ")))),
            None => Ok(()),
        }
    }

    pub fn bool(&self, key: &str) -> Result<Option<bool>, Refusal> {
        self.typed(key, Value::as_bool, "give true or false")
    }

    /// A string that is there.
    pub fn text(&self, key: &str) -> Result<&str, Refusal> {
        let text = self.typed(key, Value::as_str, "give a string")?.unwrap_or_default();
        self.without_nul(key, text)
    }

    pub fn bounded(&self, key: &str, (least, most): (u64, u64), unit: &str) -> Result<Option<u64>, Refusal> {
        let remedy = format!("give a whole number of {unit} from {least} to {most}");
        let in_bounds = |value: &Value| value.as_u64().filter(|number| (least..=most).contains(number));
        self.typed(key, in_bounds, &remedy)
    }

    /// A list of `what`.
    pub fn list(&self, key: &str, what: &str) -> Result<Option<&Vec<Value>>, Refusal> {
        self.typed(key, Value::as_array, &format!("give a list of {what}"))
    }

    pub fn strings(&self, key: &str) -> Result<Vec<String>, Refusal> {
        let list = self.list(key, "strings")?.map(Vec::as_slice).unwrap_or_default();
        let text = |value: &Value| match value.as_str() {
            Some(text) => self.without_nul(key, text).map(String::from),
            None => Err(self.refuse(key, "give a list of strings")),
        };
        list.iter().map(text).collect()
    }

    pub fn string_map(&self, key: &str) -> Result<Vec<(String, String)>, Refusal> {
        let remedy = "give a map of strings, its keys names of variables";
        let Some(map) = self.typed(key, Value::as_object, remedy)? else { return Ok(vec![]) };
        let pair = |(name, value): (&String, &Value)| match value.as_str() {
            _ if name.is_empty() || name.contains(['=', '\0']) => {
                Err(self.refuse_entry(key, name, "is no name of a variable: give one without = and NUL"))
            }
            None => Err(self.refuse_entry(key, name, "give a string")),
            Some(text) if text.contains('\0') => Err(self.refuse_entry(key, name, "holds a NUL: take it out")),
            Some(text) => Ok((name.clone(), text.into())),
        };
        map.iter().map(pair).collect()
    }

    fn typed<'v, T>(
        &'v self,
        key: &str,
        read: impl Fn(&'v Value) -> Option<T>,
        remedy: &str,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.map.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.refuse(key, remedy))
    }

    fn without_nul<'t>(&self, key: &str, text: &'t str) -> Result<&'t str, Refusal> {
        match text.contains('\0') {
            true => Err(self.refuse(key, "holds a NUL: take it out")),
            false => Ok(text),
        }
    }

    pub fn missing(&self, key: &str, what: &str) -> Refusal {
        Refusal(format!("parameter \"{}{key}\" is missing: give {what}", self.place))
    }

    /// Refuses the value of this key, and shows it unless it may be a secret: then of which kind it is, if that matters.
    pub fn refuse(&self, key: &str, remedy: &str) -> Refusal {
        let value = self.map.get(key).unwrap_or(&Value::Null);
        let is_known = PARAMETERS.iter().any(|row| row.names().any(|name| name == key));
        let shown = match key {
            // It may be one of those, misspelt.
            _ if !is_known => String::new(),
            "args" | "env" if !value.is_object() => format!("{}: ", kind(value)),
            _ => format!("{}: ", outline(value)),
        };
        Refusal(format!("parameter \"{}{key}\": {shown}{remedy}", self.place))
    }

    /// Refuses an entry of the map that is this key's value, which is not shown.
    pub fn refuse_entry(&self, key: &str, name: &str, remedy: &str) -> Refusal {
        Refusal(format!("parameter \"{}{key}.{}\": {remedy}", self.place, without_value(name).escape_debug()))
    }

    /// Refuses one value among others of this key.
    pub fn refuse_value(&self, key: &str, value: &str, remedy: &str) -> Refusal {
        Refusal(format!("parameter \"{}{key}\": \"{value}\" {remedy}", self.place))
    }
}

/// A value, but of maps the names alone: one may hold `env`.
pub fn outline(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let names: Vec<_> = map.keys().map(|name| Value::from(without_value(name)).to_string()).collect();
            format!("{{{}}}", names.join(","))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(outline).collect::<Vec<_>>().join(",")),
        _ => value.to_string(),
    }
}

/// `PASSWORD=` for a name that somebody has written with its value.
fn without_value(name: &str) -> &str {
    &name[..name.find('=').map_or(name.len(), |at| at + 1)]
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
