//! The folded form of names that were stored before there was one.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::row;
use crate::names::{self, Clash};
use mysql_async::Value;

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
        unfolded: "SELECT id, name FROM user WHERE folded IS NULL AND id > ? ORDER BY id LIMIT 1000",
        fold: "UPDATE user SET folded = ? WHERE id = ?",
        owner: "SELECT id FROM user WHERE folded = ?",
    },
    Table {
        clash: Clash::Groups,
        unfolded: "SELECT id, groupname FROM allgroup
            WHERE folded IS NULL AND groupname IS NOT NULL AND id > ? ORDER BY id LIMIT 1000",
        fold: "UPDATE allgroup SET folded = ? WHERE id = ?",
        owner: "SELECT id FROM allgroup WHERE folded = ?",
    },
];

/// Works it out for all that have none, the oldest first. Returns those whose folded form an older one has.
/// Another server that does the same does not disturb it.
pub async fn fold_all(client: &mut Client) -> DbResult<Vec<Clash>> {
    let mut clashes = Vec::new();
    for table in TABLES {
        let mut last = 0;
        loop {
            let found = client.find(table.unfolded, vec![Value::from(last)]).await?;
            let mut names: Vec<(u32, String)> = Vec::with_capacity(found.len());
            for found in &found {
                let id = u32::try_from(row::number(found, 0)?).unwrap_or(u32::MAX);
                names.push((id, row::text(found, 1)?.to_owned()));
            }
            let Some((id, _)) = names.last() else { break };
            last = *id;
            client.run("START TRANSACTION").await?;
            for (id, name) in names {
                let folded = names::fold(&name);
                match client.write(table.fold, vec![row::sql_text(&folded), id.into()]).await {
                    Ok(_) => {}
                    Err(Fault::Exists(_)) => {
                        let owner = client.find_one(table.owner, vec![row::sql_text(&folded)]).await?;
                        let owner = owner.map_or(Ok(0), |found| row::number(&found, 0))?;
                        client
                            .write(table.fold, vec![row::sql_text(&names::clashing(id)), id.into()])
                            .await?;
                        clashes.push((table.clash)(u32::try_from(owner).unwrap_or(0), id));
                    }
                    Err(fault) => return Err(fault),
                }
            }
            client.run("COMMIT").await?;
        }
    }
    Ok(clashes)
}
