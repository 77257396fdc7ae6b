//! One batch: what it changes, in one transaction, and then what it reads.
//!
//! What changes something goes to one connection, in the order asked: runs of requests about messages as
//! [segments](super::segment), everything else one by one. What only reads waits until the commit and
//! is then read on several connections at once: it sees all that was asked before it, and may see
//! messages that were to be stored after it, as it may see those that other servers store. If
//! anything else that could change its answer was asked after it, it is read before that, in the
//! transaction.

use super::client::Client;
use super::fault::DbResult;
use super::group_rules;
use super::segment::Segment;
use super::tokens::{self, Resuming};
use super::user_cache::UserCache;
use super::{
    account_acts, accounts, admissions, blocks, changes, consent, groups, heads, history, page, sync,
};
use crate::changes::Request;
use crate::group_rules::Asked;
use crate::merge::PageLimit;
use crate::{Order, Outcome};
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::Profile;
use chatd_chat::port::store::{Issue, StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;

/// What came of the orders of a batch, each at its place.
pub struct Batch<'a> {
    orders: &'a [Order],
    limits: &'a Limits,
    outcomes: Vec<Option<Outcome>>,
    segment: Segment<'a>,
    /// Resumptions that are looked up together; messages have nothing to do with them.
    resumed: Vec<(usize, Resuming<'a>)>,
    /// What is to be read after the commit.
    reads: Vec<usize>,
}

impl<'a> Batch<'a> {
    /// Nothing done yet. What is set `deferred` is left out, and told so.
    pub fn new(orders: &'a [Order], limits: &'a Limits, deferred: &[bool]) -> Self {
        let is_deferred = |index: usize| deferred.get(index).copied().unwrap_or(false);
        let outcomes =
            (0..orders.len()).map(|index| is_deferred(index).then_some(Outcome::Deferred)).collect();
        Self { orders, limits, outcomes, segment: Segment::default(), resumed: Vec::new(), reads: Vec::new() }
    }

    /// Whether there is anything for a transaction to do.
    pub fn writes(&self) -> bool {
        self.left().any(|(_, order)| !is_read(order))
    }

    /// What has no outcome yet, and its place.
    fn left(&self) -> impl Iterator<Item = (usize, &'a Order)> {
        self.orders.iter().enumerate().filter(|(index, _)| self.outcomes[*index].is_none())
    }

    /// Carries out what changes something, up to the commit.
    pub async fn write(&mut self, client: &mut Client, cache: &mut UserCache) -> DbResult<()> {
        for (index, order) in self.orders.iter().enumerate() {
            if self.outcomes[index].is_some() {
                continue;
            }
            if is_read(order) {
                self.reads.push(index);
                continue;
            }
            if self.reads.iter().any(|read| must_precede(&self.orders[*read], order)) {
                self.flush(client, cache).await?;
                self.read_now(client).await?;
            }
            match order {
                Order::Request(request) if Segment::takes(request) => {
                    if !self.segment.fits(request) {
                        self.flush(client, cache).await?;
                    }
                    self.segment.push(index, request);
                }
                Order::Request(StoreRequest::Resume { secret, device }) => {
                    self.resumed.push((index, (secret, device.as_deref())));
                }
                order => {
                    self.flush(client, cache).await?;
                    self.resume(client, cache).await?;
                    let outcome = change(client, self.limits, cache, order).await?;
                    if let Outcome::Reply(answer) = &outcome {
                        cache.outbox.pending.told(order, answer);
                    }
                    self.outcomes[index] = Some(outcome);
                }
            }
        }
        self.flush(client, cache).await?;
        self.resume(client, cache).await?;
        cache.outbox.write(client).await
    }

    async fn resume(&mut self, client: &mut Client, cache: &mut UserCache) -> DbResult<()> {
        let resumed = std::mem::take(&mut self.resumed);
        let resuming: Vec<Resuming<'_>> = resumed.iter().map(|(_, resuming)| *resuming).collect();
        let replies = tokens::resume(client, self.limits, &mut cache.uses, &resuming).await?;
        for ((index, _), answer) in resumed.into_iter().zip(replies) {
            self.outcomes[index] = Some(Outcome::Reply(answer));
        }
        Ok(())
    }

    async fn flush(&mut self, client: &mut Client, cache: &mut UserCache) -> DbResult<()> {
        for (index, answer) in self.segment.perform(client, cache).await? {
            cache.outbox.pending.told(&self.orders[index], &answer);
            self.outcomes[index] = Some(Outcome::Reply(answer));
        }
        Ok(())
    }

    async fn read_now(&mut self, client: &mut Client) -> DbResult<()> {
        for index in std::mem::take(&mut self.reads) {
            self.outcomes[index] = Some(read(client, self.limits, &self.orders[index]).await?);
        }
        Ok(())
    }

    /// What is to be read now that all else is committed.
    pub fn reads(&mut self) -> Vec<usize> {
        if !self.writes() {
            return self.left().map(|(index, _)| index).collect();
        }
        std::mem::take(&mut self.reads)
    }

    /// Fills in what was read.
    pub fn set(&mut self, index: usize, outcome: Outcome) {
        self.outcomes[index] = Some(outcome);
    }

    /// All outcomes, in the order of the orders.
    pub fn finish(self) -> impl Iterator<Item = Outcome> {
        self.outcomes.into_iter().map(|outcome| outcome.expect("every order was carried out"))
    }
}

fn is_read(order: &Order) -> bool {
    match order {
        Order::Lookup { .. } | Order::Confirm { .. } => true,
        Order::Enroll { .. } | Order::Admit { .. } | Order::Replace { .. } => false,
        Order::Request(request) => matches!(
            request,
            StoreRequest::LoadProfile { issue: Issue::Nothing, .. }
                | StoreRequest::Friends { .. }
                | StoreRequest::Hidden { .. }
                | StoreRequest::Acquaintances { .. }
                | StoreRequest::CheckMembership { .. }
                | StoreRequest::JoinRequests { .. }
                | StoreRequest::FetchBacklog { .. }
                | StoreRequest::Find { .. }
                | StoreRequest::Members { .. }
                | StoreRequest::History { .. }
                | StoreRequest::Devices { .. }
                | StoreRequest::CheckProofs { .. }
                | StoreRequest::Heads { .. }
                | StoreRequest::Sync { .. }
                | StoreRequest::FindPlaces { .. }
        ),
    }
}

/// Whether the answer to `read` must not know of `change`, which was asked after it.
fn must_precede(read: &Order, change: &Order) -> bool {
    let Order::Request(read) = read else { return false };
    let change = match change {
        Order::Request(change) => change,
        // The session that changes it stands on a token that is worthless then, until it hears of its new one.
        Order::Replace { .. } => return matches!(read, StoreRequest::CheckProofs { .. }),
        _ => return false,
    };
    match change {
        StoreRequest::StoreMessage { .. } | StoreRequest::AppendHistory { .. } => false,
        // What else is read knows nothing of tokens.
        StoreRequest::Resume { .. }
        | StoreRequest::Revoke { .. }
        | StoreRequest::DropDevice { .. }
        | StoreRequest::SetPushToken { .. }
        | StoreRequest::LoadProfile { .. } => {
            matches!(read, StoreRequest::Devices { .. } | StoreRequest::CheckProofs { .. })
        }
        StoreRequest::MoveMarker { user, conversation, .. } => {
            let reader = standing_for(read);
            reader == Some(*user) || matches!(conversation, Conversation::With(peer) if reader == Some(*peer))
        }
        StoreRequest::AckDelivered { user, .. } => {
            matches!(read, StoreRequest::FetchBacklog { user: reader, .. } | StoreRequest::LoadProfile { user: reader, .. } if reader == user)
        }
        StoreRequest::AddFriend { user, friend }
        | StoreRequest::DelFriend { user, friend, .. }
        | StoreRequest::AskFriend { user, friend, .. }
        | StoreRequest::AnswerFriend { user, friend, .. } => {
            matches!(read, StoreRequest::Friends { user: reader } | StoreRequest::LoadProfile { user: reader, .. }
                | StoreRequest::Acquaintances { user: reader } if reader == user || reader == friend)
        }
        // Anybody may be told how far that user has read.
        StoreRequest::SaveSettings { user, .. } => {
            standing_for(read).is_some()
                || matches!(read, StoreRequest::Acquaintances { user: reader } if reader == user)
        }
        StoreRequest::Block { user, blocked } | StoreRequest::Unblock { user, blocked } => {
            matches!(read, StoreRequest::LoadProfile { user: reader, .. }
                | StoreRequest::Acquaintances { user: reader } if reader == user)
                || standing_for(read) == Some(*blocked)
        }
        _ => !matches!(
            read,
            StoreRequest::Friends { .. }
                | StoreRequest::Hidden { .. }
                | StoreRequest::Acquaintances { .. }
                | StoreRequest::Find { .. }
                | StoreRequest::Devices { .. }
                | StoreRequest::CheckProofs { .. }
        ),
    }
}

/// For whom it is read where conversations stand.
fn standing_for(read: &StoreRequest) -> Option<UserId> {
    match read {
        StoreRequest::LoadProfile { user, .. }
        | StoreRequest::Heads { user, .. }
        | StoreRequest::Sync { user, .. } => Some(*user),
        _ => None,
    }
}

async fn change(
    client: &mut Client,
    limits: &Limits,
    UserCache { uses, outbox, .. }: &mut UserCache,
    order: &Order,
) -> DbResult<Outcome> {
    let request = match order {
        Order::Enroll { name, hash } => {
            return accounts::enroll(client, name, hash).await.map(Outcome::Reply);
        }
        Order::Admit { admission } => {
            return admissions::admit(client, limits, &mut outbox.pending, admission)
                .await
                .map(Outcome::Reply);
        }
        Order::Replace { user, old, new } => {
            let replaced = tokens::replace_password(client, limits, uses, *user, old, new).await;
            return replaced.map(Outcome::Reply);
        }
        Order::Request(request) => request,
        Order::Lookup { .. } | Order::Confirm { .. } => unreachable!("it changes nothing"),
    };
    let answer = match request {
        StoreRequest::Alter { user, conversation, pos, alteration, cid, ts } => {
            let (user, conversation, pos, ts) = (*user, *conversation, *pos, *ts);
            let request = Request { user, conversation, pos, alteration, cid: cid.as_deref(), ts };
            changes::alter(client, limits, &request).await
        }
        StoreRequest::AddFriend { user, friend } => {
            accounts::add_friend(client, limits, *user, *friend).await
        }
        StoreRequest::DelFriend { user, friend, parting } => {
            accounts::del_friend(client, *user, *friend, *parting).await
        }
        StoreRequest::AskFriend { user, friend, note, cid } => {
            consent::ask(client, limits, (*user, *friend), note, cid.as_deref()).await
        }
        StoreRequest::AnswerFriend { user, friend, answer } => {
            consent::answer(client, limits, (*user, *friend), *answer).await
        }
        StoreRequest::SaveSettings { user, change } => consent::save_settings(client, *user, *change).await,
        StoreRequest::CreateGroup { user, name, desc } => {
            groups::create(client, limits, *user, name, desc).await
        }
        StoreRequest::AddGroup { user, group, row } => {
            groups::join(client, limits, *user, *group, *row).await
        }
        StoreRequest::DelGroup { user, group, row } => groups::leave(client, *user, *group, *row).await,
        StoreRequest::RuleGroup { user, group, rule, row, cid } => {
            let asked = Asked { user: *user, group: *group, row: *row, cid: cid.as_deref() };
            group_rules::rule(client, limits, &asked, rule).await
        }
        StoreRequest::Block { user, blocked } => blocks::block(client, limits, *user, *blocked).await,
        StoreRequest::Unblock { user, blocked } => blocks::unblock(client, *user, *blocked).await,
        StoreRequest::Account(act) => {
            account_acts::perform(client, limits, (uses, &mut outbox.pending), act).await
        }
        StoreRequest::Revoke { user, token } => tokens::revoke(client, *user, *token).await,
        StoreRequest::DropDevice { user, token } => tokens::drop_device(client, *user, *token).await,
        StoreRequest::SetPushToken { user, device, push } => {
            tokens::set_push_token(client, *user, *device, push.as_ref()).await
        }
        StoreRequest::LoadProfile { user, proof, detail, device, heads, .. } => {
            if !tokens::holds_locked(client, *user, *proof).await? {
                return Ok(Outcome::Reply(Err(Code::Refused)));
            }
            let token =
                tokens::issue(client, limits, uses, *user, (device.as_deref(), proof.expires())).await?;
            let profile = groups::load_profile(client, limits, *user, *detail).await?;
            let heads = heads::page(client, *user, None, *heads).await?;
            Ok(Ok(StoreReply::Profile(Box::new(Profile { token: Some(token), heads, ..profile }))))
        }
        StoreRequest::Register { .. }
        | StoreRequest::Verify { .. }
        | StoreRequest::Admit { .. }
        | StoreRequest::ChangePassword { .. } => {
            panic!("the worker turns passwords into other orders")
        }
        StoreRequest::Remember { .. } => panic!("the worker remembers it"),
        other => unreachable!("{other:?} is carried out elsewhere"),
    };
    answer.map(Outcome::Reply)
}

/// Carries out what only reads.
pub async fn read(client: &mut Client, limits: &Limits, order: &Order) -> DbResult<Outcome> {
    let request = match order {
        Order::Lookup { who } => {
            return Ok(Outcome::Found(accounts::lookup(client, who).await?));
        }
        Order::Confirm { account } => {
            return accounts::confirm(client, account).await.map(Outcome::Reply);
        }
        Order::Request(request) => request,
        Order::Enroll { .. } | Order::Admit { .. } | Order::Replace { .. } => {
            unreachable!("it is no reading")
        }
    };
    let answer = match request {
        StoreRequest::LoadProfile { user, proof, detail, heads, .. } => {
            if !tokens::holds(client, *user, *proof).await? {
                return Ok(Outcome::Reply(Err(Code::Refused)));
            }
            let profile = groups::load_profile(client, limits, *user, *detail).await?;
            let heads = heads::page(client, *user, None, *heads).await?;
            Ok(Ok(StoreReply::Profile(Box::new(Profile { heads, ..profile }))))
        }
        StoreRequest::Devices { user } => tokens::devices(client, limits, *user).await,
        StoreRequest::CheckProofs { user, proofs } => tokens::check(client, *user, proofs).await,
        StoreRequest::Heads { user, before, heads } => {
            let page = heads::page(client, *user, *before, *heads).await?;
            Ok(Ok(StoreReply::Heads(page)))
        }
        StoreRequest::Sync { user, since, wanted, messages, bytes } => {
            let limit = PageLimit { messages: *messages, bytes: *bytes };
            sync::sync(client, *user, (since, *wanted), limit).await
        }
        StoreRequest::FindPlaces { mids } => sync::find_places(client, mids).await,
        StoreRequest::Friends { user } => accounts::friends(client, limits, *user).await,
        StoreRequest::JoinRequests { user, group } => group_rules::join_requests(client, *user, *group).await,
        StoreRequest::CheckMembership { user, group } => groups::may_write(client, *user, *group).await,
        StoreRequest::FetchBacklog { user, after, have, messages, bytes } => {
            let limit = PageLimit { messages: *messages, bytes: *bytes };
            page::fetch(client, *user, *after, have, limit).await
        }
        StoreRequest::Find { user, who } => accounts::find(client, *user, who).await,
        StoreRequest::Hidden { user } => accounts::hidden(client, *user).await,
        StoreRequest::Acquaintances { user } => blocks::acquaintances(client, limits, *user).await,
        StoreRequest::Members { user, group, after, members } => {
            groups::page_of_members(client, *user, *group, *after, *members).await
        }
        StoreRequest::History { user, conversation, span, wanted, messages, bytes } => {
            let limit = PageLimit { messages: *messages, bytes: *bytes };
            history::history(client, *user, (*conversation, *span), *wanted, limit).await
        }
        other => unreachable!("{other:?} is no reading"),
    };
    answer.map(Outcome::Reply)
}
