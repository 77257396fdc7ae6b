//! `/debug/events`: the last events and effects of the cores, as far as somebody wants to see them.

use super::http::{Response, TEXT};
use crate::flight_recorder::choice::Choice;
use crate::observer::Observer;
use chatd_chat::model::ids::UserId;

/// What may be asked for.
const WANTED: &str =
    "nothing, or one of core=0, session=0.17.2 (as the lines name it), user=5, mid=912608867299360768";

/// The lines that are asked for.
pub(super) fn page(observer: &Observer, query: &[(String, String)]) -> Response {
    match choice(query, observer.cores()) {
        Some(choice) => {
            let lines = observer.events(&choice);
            Response::new(TEXT, lines.into_iter().map(|line| line + "\n").collect::<String>())
        }
        None => Response::refusal(400, format!("/debug/events takes {WANTED}")),
    }
}

fn choice(query: &[(String, String)], cores: usize) -> Option<Choice> {
    match query {
        [] => Some(Choice::Last),
        [(name, value)] => match name.as_str() {
            "core" => value.parse().ok().filter(|core| *core < cores).map(Choice::Core),
            "session" => value.parse().ok().map(Choice::Session),
            "user" => value.parse().ok().and_then(UserId::new).map(Choice::User),
            "mid" => value.parse().ok().map(Choice::Message),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_one_thing_or_nothing() {
        let asked = |query: &[(&str, &str)]| {
            let query: Vec<_> =
                query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            choice(&query, 2)
        };
        assert_eq!(asked(&[]), Some(Choice::Last));
        assert_eq!(asked(&[("core", "1")]), Some(Choice::Core(1)));
        assert_eq!(asked(&[("mid", "912608867299360768")]), Some(Choice::Message(912_608_867_299_360_768)));
        assert!(
            matches!(asked(&[("session", "1.17.2")]), Some(Choice::Session(name)) if name.to_string() == "1.17.2")
        );
        assert_eq!(asked(&[("user", "5")]), UserId::new(5).map(Choice::User));
        assert!(
            matches!(asked(&[("session", "1.api.2")]), Some(Choice::Session(name)) if name.id.is_acting())
        );
        for (name, value) in [
            ("core", "2"),
            ("core", "-1"),
            ("session", "1.17"),
            ("session", "1.17.2.3"),
            ("session", "a.b.c"),
            ("user", "0"),
            ("mid", "x"),
            ("mid", ""),
            ("what", "1"),
        ] {
            assert_eq!(asked(&[(name, value)]), None, "{name}={value}");
        }
        assert_eq!(asked(&[("core", "1"), ("user", "5")]), None);
    }
}
