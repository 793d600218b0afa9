//! The parameters `keep-limit` and `keep-by`: how many answers are kept, and what for besides.

use super::read::{Refusal, Section};
use crate::variables::is_of_group;

const LIMIT_BOUNDS: (u64, u64) = (0, 1_000_000);

/// Answers that are kept (`keep-for`).
#[derive(Clone, Debug, PartialEq)]
pub struct Keep {
    /// Names of variables that have to be the same, too.
    pub by: Vec<String>,
    /// So many; with 0, none is kept.
    pub limit: usize,
}

pub fn keep(section: &Section, answers: bool) -> Result<Keep, Refusal> {
    if let Some(key) = ["keep-limit", "keep-by"].into_iter().find_map(|key| section.has(key)).filter(|_| !answers) {
        return Err(section.refuse(key, "has no effect without \"answers\": set that to true, or leave this out"));
    }
    let by = section.strings("keep-by")?;
    if let Some(name) = by.iter().find(|name| !is_of_group(name)) {
        let remedy = "is no variable that answers can be kept by: give one of variables.md that tells of a packet, a lease \
                      or a subnet, in its name of dialect runscript";
        return Err(section.refuse_value("keep-by", name, remedy));
    }
    let limit = section.bounded("keep-limit", LIMIT_BOUNDS, "answers")?.unwrap_or(10_000) as usize;
    Ok(Keep { by, limit })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::parse_for;
    use crate::hook_points::Server;

    fn parse(key: &str, value: Value) -> Result<super::Keep, String> {
        let parameters = json!({"script": "/bin/true", "answers": true, "on-failure": "drop", key: value});
        parse_for(Server::Dhcp4, &parameters.to_string()).map(|mut configs| configs.remove(0).keep)
    }

    #[test]
    fn names_are_those_of_variables() {
        for name in ["KEA_QUERY4_HWADDR", "KEA_QUERY4_OPTION_12", "KEA_QUERY6_RELAY0_OPTION_18", "KEA_FAKE_ALLOCATION"]
        {
            assert_eq!(parse("keep-by", json!([name])).unwrap().by, [name]);
        }
        for name in ["", "KEA_QUERY4_HWADR", "QUERY4_HWADDR", "KEA_EVENT_ID", "KEA_EVENT_TIME", "KEA_TRUNCATED", "PATH"]
        {
            let refusal = parse("keep-by", json!(["KEA_QUERY4_TYPE", name])).expect_err(name);
            assert!(refusal.starts_with(&format!("parameter \"keep-by\": \"{name}\" is no variable")), "{refusal}");
        }
        assert!(parse("keep-by", json!("KEA_QUERY4_TYPE")).unwrap_err().contains("give a list of strings"));
    }

    #[test]
    fn the_limit_has_bounds() {
        assert_eq!(parse("args", json!([])).unwrap().limit, 10_000);
        for limit in [0, 1, 1_000_000] {
            assert_eq!(parse("keep-limit", json!(limit)).unwrap().limit, limit);
        }
        for limit in [json!(-1), json!(1_000_001), json!("many")] {
            let refusal = parse("keep-limit", limit).unwrap_err();
            assert!(refusal.contains("give a whole number of answers from 0 to 1000000"), "{refusal}");
        }
    }

    #[test]
    fn without_answers_there_is_nothing_to_keep() {
        for key in ["keep-limit", "keep-by"] {
            let parameters = json!({"script": "/bin/true", key: if key == "keep-by" { json!([]) } else { json!(5) }});
            let refusal = parse_for(Server::Dhcp4, &parameters.to_string()).unwrap_err();
            assert!(
                refusal.starts_with(&format!("parameter \"{key}\"")) && refusal.contains("\"answers\""),
                "{refusal}"
            );
        }
    }
}
