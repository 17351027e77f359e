//! The menu of methods: by family, the ones to begin with first and marked.

use crate::method::Group;
use crate::worker::protocol::Menu;

/// The mark of a method to begin with.
pub const MARK: &str = "★";

/// Ids and labels of the methods of each family that has any, in the order of the families.
pub fn groups(menu: &Menu) -> Vec<(Group, Vec<(String, String)>)> {
    let of = |group| {
        let mut methods = Vec::new();
        for starts in [true, false] {
            for card in
                menu.methods.iter().filter(|card| card.group == group && menu.starters.contains(&card.id) == starts)
            {
                let label = if starts { format!("{MARK} {}", card.title) } else { card.title.clone() };
                methods.push((card.id.clone(), label));
            }
        }
        (group, methods)
    };
    Group::ALL.into_iter().map(of).filter(|(_, methods)| !methods.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::model::settings::tests::card;
    use crate::worker::protocol::MethodCard;

    #[test]
    fn methods_are_listed_by_family_with_the_first_ones_marked() {
        let of = |id: &str, group| MethodCard { group, ..card(id) };
        let methods = vec![of("b", Group::Compare), of("a", Group::Undo), of("c", Group::Compare)];
        let menu = Menu { methods, starters: vec!["c".into()], ..Menu::default() };
        let pair = |id: &str, label: &str| (id.to_string(), label.to_string());
        let expected = [(Group::Undo, vec![pair("a", "a")]), (Group::Compare, vec![pair("c", "★ c"), pair("b", "b")])];
        assert_eq!(groups(&menu), expected);
        assert_eq!(groups(&Menu::default()), []);
    }
}
