//! The folded form of names that were stored before there was one.

use crate::names::{self, Clash};
use rusqlite::{Connection, OptionalExtension, params};

/// A table of names, and how it is asked.
struct Table {
    clash: fn(u32, u32) -> Clash,
    unfolded: &'static str,
    fold: &'static str,
    owner: &'static str,
}

const TABLES: [Table; 2] = [
    Table {
        clash: Clash::Users,
        unfolded: "SELECT id, name FROM user WHERE folded IS NULL AND id > ?1 ORDER BY id LIMIT 10000",
        fold: "UPDATE OR IGNORE user SET folded = ?2 WHERE id = ?1",
        owner: "SELECT id FROM user WHERE folded = ?1",
    },
    Table {
        clash: Clash::Groups,
        unfolded: "SELECT id, groupname FROM allgroup
            WHERE folded IS NULL AND groupname IS NOT NULL AND id > ?1 ORDER BY id LIMIT 10000",
        fold: "UPDATE OR IGNORE allgroup SET folded = ?2 WHERE id = ?1",
        owner: "SELECT id FROM allgroup WHERE folded = ?1",
    },
];

/// Works it out for all that have none, the oldest first. Returns those whose folded form an older one has.
pub fn fold_all(db: &mut Connection) -> rusqlite::Result<Vec<Clash>> {
    let mut clashes = Vec::new();
    let step = db.transaction()?;
    for table in TABLES {
        let mut last = 0;
        loop {
            let names: Vec<(u32, String)> = step
                .prepare(table.unfolded)?
                .query_map([last], |found| Ok((found.get(0)?, found.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            let Some((id, _)) = names.last() else { break };
            last = *id;
            for (id, name) in &names {
                let folded = names::fold(name);
                let mut fold = step.prepare_cached(table.fold)?;
                if fold.execute(params![id, folded])? == 0 {
                    let mut find = step.prepare_cached(table.owner)?;
                    let owner = find.query_row([&folded], |found| found.get(0)).optional()?;
                    fold.execute(params![id, names::clashing(*id)])?;
                    clashes.push((table.clash)(owner.unwrap_or(0), *id));
                }
            }
        }
    }
    step.commit()?;
    Ok(clashes)
}
