//! Storing messages: once each, however often it is asked for, and many in one statement.
//!
//! Written for messages that are new: their rows are inserted outright, and only if the database finds
//! that one is there already, or one of the same (sender, cid), are those looked at. After that, for
//! a while, it is looked first: who repeats itself does it in swarms.
//!
//! Places: the rows of all groups concerned are locked, in the order of their ids, and then those of all
//! conversations of two, in the order of theirs, before the first place is given, and stay so until the
//! commit. So places have no gap, are committed in their order, and two servers that write to the same
//! groups and people wait for each other and nothing else.
//!
//! A conversation may have no row yet, and what is not there cannot be locked: so as many places as
//! there are messages are claimed in it first, and given back at the end if some of them were stored.

use super::blocks;
use super::client::{Client, Many, chunk, padding};
use super::fault::{DbResult, Fault};
use super::group_rules;
use super::late;
use super::row;
use super::stored::Stored;
use super::user_cache::UserCache;
use super::{markers, marks};
use crate::group_rules::until;
use crate::history::forgotten_before;
use chatd_chat::model::envelope::{Envelope, Target};
use chatd_chat::model::group_rule::{MemberRule, Until};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::port::store::{StoreReply, StoreResult, StoredMessage};
use chatd_chat::wire::code::Code;
use mysql_async::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

const INSERT: Many = Many::new(
    "INSERT INTO message (mid, ts, sender, recipient, groupid, pos, cid, body) VALUES ",
    "(?,?,?,?,?,?,?,?)",
    "",
);
const HEADS: Many = Many::new(
    "SELECT id, head, muted FROM allgroup WHERE groupname IS NOT NULL AND id IN (",
    "?",
    ") ORDER BY id FOR UPDATE",
);
const MEMBERS: Many = Many::new(
    "SELECT userid, groupid, grouprole, admin, muted FROM groupuser WHERE (userid, groupid) IN (",
    "(?,?)",
    ")",
);
// The rows are there, and locked: this is an update of many.
const ADVANCE: Many = Many::new(
    "INSERT INTO allgroup (id, groupdesc, head) VALUES ",
    "(?,'',?)",
    " ON DUPLICATE KEY UPDATE head = VALUES(head)",
);
const CLAIM: Many = Many::new(
    "INSERT INTO conversation (low, high, head) VALUES ",
    "(?,?,?)",
    " ON DUPLICATE KEY UPDATE head = head + VALUES(head)",
);
/// The same, and what the rows are then: half the work of looking for them after.
const CLAIM_RETURNING: Many = Many {
    tail: " ON DUPLICATE KEY UPDATE head = head + VALUES(head) RETURNING low, high, head, refuses",
    ..CLAIM
};
const CLAIMED: Many =
    Many::new("SELECT low, high, head, refuses FROM conversation WHERE (low, high) IN (", "(?,?)", ")");
const GIVE_BACK: Many = Many::new(
    "INSERT INTO conversation (low, high, head) VALUES ",
    "(?,?,?)",
    " ON DUPLICATE KEY UPDATE head = VALUES(head)",
);
const ALIAS: Many = Many::new(
    "INSERT INTO alias (mid, `stored`) VALUES ",
    "(?,?)",
    " ON DUPLICATE KEY UPDATE `stored` = VALUES(`stored`)",
);
/// How often rows are found to be there that then cannot be seen, before others go first.
const PATIENCE: usize = 3;

/// What became of a message.
#[derive(Debug)]
pub struct Insertion {
    /// The answer to whoever asked.
    pub answer: StoreResult,
    /// Whose backlog it now belongs to.
    pub backlog_of: Option<UserId>,
    /// Whether its row was made just now.
    pub fresh: bool,
}

/// A message to be stored.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// Which of those that are stored together.
    index: usize,
    pub envelope: &'a Envelope,
    pub mid: i64,
    ts: i64,
    pos: Option<u64>,
}

impl<'a> New<'a> {
    /// `None` if it is damaged or forged: no row can hold it.
    fn of(index: usize, envelope: &'a Envelope) -> Option<Self> {
        let fits = |number: u64| i64::try_from(number).ok();
        std::str::from_utf8(envelope.body()).ok()?;
        Some(Self { index, envelope, mid: fits(envelope.mid().0)?, ts: fits(envelope.ts().0)?, pos: None })
    }

    /// The sender's own name for it, if it gave one.
    pub fn cid(&self) -> Option<&'a str> {
        Some(self.envelope.cid()).filter(|cid| !cid.is_empty())
    }

    fn group(&self) -> Option<GroupId> {
        match self.envelope.target() {
            Target::Group(group) => Some(group),
            Target::User(_) => None,
        }
    }

    /// What it has its place in.
    fn conversation(&self) -> ConversationKey {
        match self.envelope.target() {
            Target::Group(group) => ConversationKey::Group(group),
            Target::User(user) => {
                let sender = self.envelope.sender();
                ConversationKey::Direct(sender.min(user), sender.max(user))
            }
        }
    }

    fn values(&self) -> [Value; 8] {
        let (recipient, group) = match self.envelope.target() {
            Target::User(user) => (user.get().into(), Value::NULL),
            Target::Group(group) => (Value::NULL, group.get().into()),
        };
        [
            self.mid.into(),
            self.ts.into(),
            self.envelope.sender().get().into(),
            recipient,
            group,
            self.pos.map_or(Value::NULL, row::sql_number),
            self.cid().map_or(Value::NULL, row::sql_text),
            Value::Bytes(self.envelope.body().to_vec()),
        ]
    }
}

/// Stores them, as if one after the other.
pub async fn store(
    client: &mut Client,
    cache: &mut UserCache,
    envelopes: &[&Envelope],
) -> DbResult<Vec<Insertion>> {
    let insertions = envelopes.iter().map(|_| None).collect();
    let (heads, aliases, begun) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    let mut work = Work { client, cache, insertions, heads, aliases, begun };
    let news = envelopes.iter().enumerate().map(|(index, envelope)| New::of(index, envelope));
    let mut left: Vec<New<'_>> = news.flatten().collect();
    while !left.is_empty() {
        let firsts = firsts_of(&mut left);
        work.store(firsts).await?;
    }
    markers::begin_dialogues(work.client, &work.begun).await?;
    work.note_aliases().await?;
    let fresh = |insertion: &Option<Insertion>| insertion.as_ref().is_some_and(|insertion| insertion.fresh);
    let stored = envelopes.iter().zip(&work.insertions).filter(|(_, insertion)| fresh(insertion));
    let late = work.cache.mark.late(stored.map(|(envelope, _)| envelope.mid()));
    late::changed(work.client, &late).await?;
    Ok(work.insertions.into_iter().map(|insertions| insertions.unwrap_or_else(unfit)).collect())
}

/// Deletes what is known of other ids of messages before `forgotten`, or some of it. Waits for nobody.
pub async fn forget_aliases(client: &mut Client, forgotten: MessageId) -> DbResult<()> {
    let before = || vec![row::sql_number(forgotten.0)];
    client
        .find("SELECT mid FROM alias WHERE mid < ? ORDER BY mid LIMIT 1000 FOR UPDATE NOWAIT", before())
        .await?;
    client.write("DELETE FROM alias WHERE mid < ? ORDER BY mid LIMIT 1000", before()).await.map(drop)
}

/// What becomes of a message that no row can hold: it was in none of the rounds.
fn unfit() -> Insertion {
    Insertion { answer: Err(Code::InvalidField), backlog_of: None, fresh: false }
}

/// Takes out of `news` those whose id and (sender, cid) no other before them has: the others must see
/// what became of these.
fn firsts_of<'a>(news: &mut Vec<New<'a>>) -> Vec<New<'a>> {
    let (mut mids, mut cids): (HashSet<i64>, HashSet<(UserId, &str)>) = Default::default();
    let is_first = |new: &mut New<'a>| {
        let mid = mids.insert(new.mid);
        let cid = new.cid().is_none_or(|cid| cids.insert((new.envelope.sender(), cid)));
        mid && cid
    };
    news.extract_if(.., is_first).collect()
}

struct Work<'c> {
    client: &'c mut Client,
    cache: &'c mut UserCache,
    insertions: Vec<Option<Insertion>>,
    /// The last places of what is written to.
    heads: BTreeMap<ConversationKey, Head>,
    /// Under which ids messages came again, and those that they are stored under.
    aliases: BTreeMap<i64, i64>,
    /// Conversations whose first messages these are.
    begun: BTreeSet<(UserId, UserId)>,
}

impl Work<'_> {
    async fn store(&mut self, mut news: Vec<New<'_>>) -> DbResult<()> {
        if self.cache.look_first() {
            self.answer_stored(&mut news).await?;
        }
        self.check_recipients(&mut news).await?;
        self.heads.clear();
        self.lock_groups(&mut news).await?;
        self.claim(&mut news).await?;
        self.insert(news).await?;
        self.write_heads().await
    }

    /// Inserts all of them, but those that turn out to be there.
    async fn insert(&mut self, mut news: Vec<New<'_>>) -> DbResult<()> {
        let mut unseen = 0;
        while !news.is_empty() {
            let rows = self.fitting(&news);
            for new in &mut news[..rows] {
                new.pos = Some(self.head(new.conversation()).next());
            }
            let values = news[..rows].iter().flat_map(New::values).collect();
            match self.client.execute(INSERT, rows, values).await {
                Ok(()) => {
                    for new in news.drain(..rows) {
                        self.done(&new);
                    }
                }
                Err(Fault::Exists(why)) => {
                    for conversation in news[..rows].iter().map(New::conversation) {
                        self.head(conversation).back();
                    }
                    self.cache.suspect();
                    let before = news.len();
                    self.answer_stored(&mut news).await?;
                    unseen += usize::from(news.len() == before);
                    if unseen == PATIENCE {
                        return Err(Fault::Contended(why));
                    }
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn head(&mut self, conversation: ConversationKey) -> &mut Head {
        self.heads.get_mut(&conversation).expect("what is written to is locked")
    }

    /// Writes down where the heads are now: those of groups, and those that places were claimed of in vain.
    async fn write_heads(&mut self) -> DbResult<()> {
        let (mut groups, mut conversations) = (Vec::new(), Vec::new());
        for (conversation, head) in self.heads.iter().filter(|(_, head)| head.now != head.stored) {
            let now = row::sql_number(head.now);
            match conversation {
                ConversationKey::Group(group) => groups.extend([group.get().into(), now]),
                ConversationKey::Direct(low, high) => {
                    conversations.extend([low.get().into(), high.get().into(), now])
                }
            }
        }
        // A row more than once is a row once, so what pads the statements does no harm.
        self.client.find_all(ADVANCE, &groups, &[]).await?;
        self.client.find_all(GIVE_BACK, &conversations, &[]).await.map(drop)
    }

    async fn note_aliases(&mut self) -> DbResult<()> {
        let Some(last) = self.aliases.keys().next_back() else { return Ok(()) };
        let forgotten = forgotten_before(MessageId(u64::try_from(*last).unwrap_or(0)));
        self.cache.forgotten = Some(forgotten);
        let values = self.aliases.iter().flat_map(|(mid, stored)| [Value::Int(*mid), Value::Int(*stored)]);
        let values: Vec<Value> = values.collect();
        self.client.find_all(ALIAS, &values, &[]).await.map(drop)
    }

    /// How many of them one statement takes.
    fn fitting(&self, news: &[New<'_>]) -> usize {
        let mut bytes = 0;
        let fits = |new: &&New<'_>| {
            bytes += new.envelope.body().len() + 64;
            bytes <= self.client.statement_bytes
        };
        chunk(news.iter().take_while(fits).count().max(1))
    }

    fn done(&mut self, new: &New<'_>) {
        let answer = Ok(StoreReply::Stored(StoredMessage {
            mid: new.envelope.mid(),
            ts: new.envelope.ts(),
            pos: new.pos,
        }));
        let backlog_of = new.group().is_none().then(|| new.envelope.user());
        if let (Some(user), Some(1)) = (backlog_of, new.pos) {
            self.begun.insert((new.envelope.sender(), user));
        }
        self.cache.outbox.pending.message(new.envelope, new.pos.unwrap_or(0));
        self.insertions[new.index] = Some(Insertion { answer, backlog_of, fresh: true });
    }

    /// Answers those that are stored, and leaves the others.
    async fn answer_stored(&mut self, news: &mut Vec<New<'_>>) -> DbResult<()> {
        let stored = Stored::find(self.client, news).await?;
        news.retain(|new| match stored.of(new) {
            Some(found) => {
                self.repeated(new, found);
                false
            }
            None => true,
        });
        Ok(())
    }

    /// The answer to a message that is stored.
    fn repeated(&mut self, new: &New<'_>, stored: &Stored) {
        // The same message from another core: the user left before that one could deliver it, so it
        // goes into the backlog, whatever became of it elsewhere. Twice is allowed, never is not.
        let same = stored.mid == new.envelope.mid();
        let answer = stored.answer(new.envelope);
        let is_stored = matches!(answer, Ok(StoreReply::Stored(_)));
        let waits = same && is_stored && new.group().is_none() && !stored.is_recalled();
        let backlog_of = waits.then(|| new.envelope.user());
        if let (true, false, Some(stored)) = (is_stored, same, row::sql_mid(stored.mid)) {
            self.aliases.insert(new.mid, stored);
        }
        self.insertions[new.index] = Some(Insertion { answer, backlog_of, fresh: false });
    }

    /// Refuses those of `news` that `refusal` names, unless they are stored.
    async fn refuse<'a>(
        &mut self,
        news: &mut Vec<New<'a>>,
        refusal: impl Fn(&New<'a>) -> Option<Code>,
    ) -> DbResult<()> {
        let mut refused: Vec<New<'a>> = news.extract_if(.., |new| refusal(new).is_some()).collect();
        if refused.is_empty() {
            return Ok(());
        }
        // What was acknowledged once is acknowledged for ever.
        self.answer_stored(&mut refused).await?;
        for new in refused {
            let code = refusal(&new).expect("it was refused a moment ago");
            self.insertions[new.index] =
                Some(Insertion { answer: Err(code), backlog_of: None, fresh: false });
        }
        Ok(())
    }

    async fn check_recipients(&mut self, news: &mut Vec<New<'_>>) -> DbResult<()> {
        let recipient = |new: &New<'_>| new.group().is_none().then(|| new.envelope.user());
        let strangers = self.cache.strangers(self.client, news.iter().filter_map(recipient)).await?;
        let refusal =
            |new: &New<'_>| recipient(new).filter(|user| strangers.contains(user)).map(|_| Code::NoSuchUser);
        self.refuse(news, refusal).await
    }

    /// Locks the groups that are written to, and refuses what is not by their members.
    async fn lock_groups(&mut self, news: &mut Vec<New<'_>>) -> DbResult<()> {
        let groups: BTreeSet<GroupId> = news.iter().filter_map(New::group).collect();
        if groups.is_empty() {
            return Ok(());
        }
        let ids: Vec<Value> = groups.into_iter().map(|group| group.get().into()).collect();
        let mut muted_all: HashMap<GroupId, Until> = HashMap::new();
        for found in self.client.find_all(HEADS, &ids, &[]).await? {
            let head = row::number(&found, 1)?;
            let muted = until(row::signed(&found, 2)?);
            if muted != Until::NEVER {
                muted_all.insert(row::group(&found, 0)?, muted);
            }
            self.heads
                .insert(ConversationKey::Group(row::group(&found, 0)?), Head { stored: head, now: head });
        }
        let membership = |new: &New<'_>| new.group().map(|group| (new.envelope.sender(), group));
        let memberships: HashSet<(UserId, GroupId)> = news.iter().filter_map(membership).collect();
        let values: Vec<Value> =
            memberships.iter().flat_map(|(user, group)| [user.get().into(), group.get().into()]).collect();
        let mut members: HashMap<(UserId, GroupId), MemberRule> = HashMap::with_capacity(memberships.len());
        for found in self.client.find_all(MEMBERS, &values, &[]).await? {
            let member = group_rules::member(&found, 2)?;
            members.insert((row::user(&found, 0)?, row::group(&found, 1)?), member);
        }
        let is_muted = |new: &New<'_>, group: GroupId, member: &MemberRule| {
            let ts = new.envelope.ts();
            let all = || muted_all.get(&group).is_some_and(|until| until.holds(ts));
            member.muted.holds(ts) || (!member.role.runs() && all())
        };
        let there: HashSet<ConversationKey> = self.heads.keys().copied().collect();
        let refusal = |new: &New<'_>| match new.group() {
            Some(group) if !there.contains(&ConversationKey::Group(group)) => Some(Code::NoSuchGroup),
            Some(group) => match members.get(&(new.envelope.sender(), group)) {
                None => Some(Code::NotAMember),
                Some(member) if is_muted(new, group, member) => Some(Code::Muted),
                Some(_) => None,
            },
            None => None,
        };
        self.refuse(news, refusal).await
    }

    /// Claims a place for each direct message, which locks the conversations, and refuses what their
    /// recipients do not want.
    async fn claim(&mut self, news: &mut Vec<New<'_>>) -> DbResult<()> {
        let mut claims: BTreeMap<(UserId, UserId), u64> = BTreeMap::new();
        for new in news.iter() {
            if let ConversationKey::Direct(low, high) = new.conversation() {
                *claims.entry((low, high)).or_default() += 1;
            }
        }
        let Some(last) = claims.keys().next_back().copied() else { return Ok(()) };
        let pair = |(low, high): (UserId, UserId)| [Value::from(low.get()), Value::from(high.get())];
        let mut values: Vec<Value> = Vec::with_capacity(claims.len().next_power_of_two() * 3);
        for (conversation, places) in &claims {
            values.extend(pair(*conversation));
            values.push(row::sql_number(*places));
        }
        // Padded with claims of no place: one statement is faster than several.
        for _ in 0..padding(claims.len()) {
            values.extend(pair(last));
            values.push(row::sql_number(0));
        }
        let claimed = match self.client.write_all_returning(CLAIM_RETURNING, &values).await? {
            Some(claimed) => claimed,
            None => {
                self.client.write_all(CLAIM, values).await?;
                let pairs: Vec<Value> = claims.keys().flat_map(|conversation| pair(*conversation)).collect();
                self.client.find_all(CLAIMED, &pairs, &[]).await?
            }
        };
        let mut unwanted: HashSet<(UserId, UserId)> = HashSet::new();
        let mut begun: Vec<(UserId, UserId)> = Vec::new();
        for found in claimed {
            let (low, high) = (row::user(&found, 0)?, row::user(&found, 1)?);
            let (head, refuses) = (row::number(&found, 2)?, row::number(&found, 3)?);
            let claimed = claims.get(&(low, high)).copied().unwrap_or(0);
            self.heads.insert(
                ConversationKey::Direct(low, high),
                Head { stored: head, now: head.saturating_sub(claimed) },
            );
            begun.extend((head <= claimed).then_some((low, high)));
            for (reader, sender) in [(low, high), (high, low)] {
                let marks = blocks::mark(reader, sender) | marks::mark(reader, sender);
                if refuses & marks != 0 && low != high {
                    unwanted.insert((reader, sender));
                }
            }
        }
        unwanted.extend(marks::begin(self.client, &begun).await?);
        let refusal = |new: &New<'_>| {
            let pair = new.group().is_none().then(|| (new.envelope.user(), new.envelope.sender()))?;
            unwanted.contains(&pair).then_some(Code::NotYours)
        };
        self.refuse(news, refusal).await
    }
}

/// What messages have their places in: groups come first, because they are locked first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum ConversationKey {
    Group(GroupId),
    /// Two users, the smaller id first.
    Direct(UserId, UserId),
}

/// The last place: as the database has it, and with the messages that are being stored.
struct Head {
    stored: u64,
    now: u64,
}

impl Head {
    fn next(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn back(&mut self) {
        self.now = self.now.saturating_sub(1);
    }
}
