//! In which order crates are published.

/// The names, each after those that it depends on and otherwise in the order given; or those that no order fits.
pub(crate) fn order<'n>(edges: &[(&'n str, Vec<&'n str>)]) -> Result<Vec<&'n str>, Vec<&'n str>> {
    let mut order: Vec<&str> = Vec::new();
    while order.len() < edges.len() {
        let next = edges.iter().find(|(name, uses)| {
            let is_known = |used: &&str| edges.iter().any(|(known, _)| known == used);
            !order.contains(name)
                && uses
                    .iter()
                    .filter(|u| is_known(u))
                    .all(|u| order.contains(u))
        });
        let Some((name, _)) = next else {
            let left = edges.iter().map(|(name, _)| *name);
            return Err(left.filter(|name| !order.contains(name)).collect());
        };
        order.push(name);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_comes_after_those_it_uses_and_a_cycle_is_named() {
        type Names = Vec<&'static str>;
        type Edges = Vec<(&'static str, Names)>;
        let table: [(Edges, Result<Names, Names>); 5] = [
            (vec![], Ok(vec![])),
            (vec![("b", vec![]), ("a", vec![])], Ok(vec!["b", "a"])),
            (
                vec![("c", vec!["a", "b"]), ("b", vec!["a"]), ("a", vec![])],
                Ok(vec!["a", "b", "c"]),
            ),
            (vec![("a", vec!["elsewhere"])], Ok(vec!["a"])),
            (
                vec![("a", vec![]), ("b", vec!["c"]), ("c", vec!["b"])],
                Err(vec!["b", "c"]),
            ),
        ];
        for (edges, expected) in table {
            assert_eq!(order(&edges), expected, "{edges:?}");
        }
    }
}
