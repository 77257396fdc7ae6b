//! Fills a MariaDB with messages as if they had been stored: the rows that the store would have written, many times as fast.
//! Not the index of the search, which the product makes of them.

use super::directory;
use chatd::chat::model::envelope::{Envelope, Target};
use chatd_testing::services::mariadb::MariaDb;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Puts messages into a database that has none, and their conversations with them.
pub fn load(mariadb: &MariaDb, database: &str, messages: impl Iterator<Item = Envelope>) {
    let directory = directory("fill");
    std::fs::create_dir_all(&directory).expect("a directory");
    let table = |name: &str| BufWriter::new(File::create(directory.join(name)).expect("a file"));
    // By group, or by both people, as the index of the search has them.
    let mut heads: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    let mut rows = table("message");
    for envelope in messages {
        let sender = envelope.sender().get();
        let (key, to) = match envelope.target() {
            Target::User(user) => {
                let (low, high) = (sender.min(user.get()), sender.max(user.get()));
                ((low, high), format!("{user}\t\\N"))
            }
            Target::Group(group) => ((0, group.get()), format!("\\N\t{group}")),
        };
        let pos = heads.entry(key).or_default();
        *pos += 1;
        let body = std::str::from_utf8(envelope.body()).expect("a text");
        writeln!(rows, "{}\t{}\t{sender}\t{to}\t{pos}\t{body}", envelope.mid().0, envelope.ts().0)
            .expect("a disk with room");
    }
    let (mut conversations, mut dialogues) = (table("conversation"), table("dialogue"));
    for ((low, high), head) in &heads {
        if *low == 0 {
            mariadb.sql(&format!("UPDATE {database}.allgroup SET head = {head} WHERE id = {high}"));
            continue;
        }
        writeln!(conversations, "{low}\t{high}\t{head}").expect("a disk with room");
        writeln!(dialogues, "{low}\t{high}").expect("a disk with room");
        if low != high {
            writeln!(dialogues, "{high}\t{low}").expect("a disk with room");
        }
    }
    for file in [rows, conversations, dialogues] {
        file.into_inner().expect("a disk with room");
    }
    take(mariadb, database, &directory, "conversation", "low, high, head");
    take(mariadb, database, &directory, "dialogue", "userid, peer");
    take(mariadb, database, &directory, "message", "mid, ts, sender, recipient, groupid, pos, body");
    drop(std::fs::remove_dir_all(directory));
}

fn take(mariadb: &MariaDb, database: &str, directory: &Path, table: &str, columns: &str) {
    let file = directory.join(table);
    mariadb.sql(&format!(
        "SET unique_checks = 0, foreign_key_checks = 0;
         LOAD DATA INFILE '{}' INTO TABLE {database}.{table} CHARACTER SET utf8mb4 ({columns})",
        file.display()
    ));
}
