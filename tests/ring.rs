//! The rings of `chat::ring`: points that others have computed, and properties.
//!
//! Needs nothing but itself; `ring_nginx` has the real nginx, `ring_program` the program.

use chatd_testing as common;

use chat_ring::{
    Arc, Balancing, Choice, Consistent, Moves, Plain, RingError, Seed, Server, crc32, pairs, sample_key,
    seed_hash, seed_points, server_points,
};
use common::Random;
use std::collections::BTreeMap;

fn named(names: &[&str]) -> Vec<Server> {
    names.iter().map(|&name| Server::new(name)).collect()
}

fn weighted(weights: &[(&str, u32)]) -> Vec<Server> {
    weights.iter().map(|&(name, weight)| Server { weight, ..Server::new(name) }).collect()
}

fn chosen(ring: &Consistent, key: &str) -> String {
    match ring.choose(key.as_bytes()) {
        Choice::Server(server) => ring.servers()[server].name.clone(),
        Choice::RoundRobin => "round robin".to_owned(),
    }
}

/// Many servers, some heavy, some down; names that nothing else in a test has.
fn scattered(random: &mut Random, count: usize, is_down: impl Fn(&mut Random) -> bool) -> Vec<Server> {
    let mut server = |n| {
        let name = format!("10.{}.{}.{}:{}", n >> 8, n & 255, random.below(256), 1024 + random.below(60_000));
        Server { name, weight: 1 + random.below(4) as u32, down: is_down(random) }
    };
    (0..count).map(&mut server).collect()
}

/// Rules 1 to 4 as slowly as they are written down.
fn slow_points(servers: &[Server]) -> Vec<(u32, usize)> {
    let mut points: Vec<(u32, usize)> = Vec::new();
    for (index, server) in servers.iter().enumerate() {
        let (host, port) = server.name.rsplit_once(':').expect("these names have ports");
        let mut before = 0u32;
        for _ in 0..160 * server.weight {
            before = crc32(&[host.as_bytes(), &[0], port.as_bytes(), &before.to_le_bytes()].concat());
            points.push((before, index));
        }
    }
    // A stable sort: of equal points, the first server's comes first, and stays.
    points.sort_by_key(|point| point.0);
    points.dedup_by_key(|point| point.0);
    points
}

/// Rules 5 and 6: every point is looked at.
fn slow_route(points: &[(u32, usize)], servers: &[Server], key: &[u8]) -> Vec<usize> {
    let hash = crc32(key);
    let first = points.iter().position(|point| point.0 >= hash).unwrap_or(0);
    let mut route = Vec::new();
    for (_, server) in points.iter().cycle().skip(first).take(21) {
        if !servers[*server].down && !route.contains(server) {
            route.push(*server);
        }
    }
    route
}

#[test]
fn the_points_are_those_of_a_running_nginx() {
    // Taken from nginx 1.22.1 with these two servers.
    let ring = Consistent::new(named(&["127.0.0.1:6000", "127.0.0.1:6002"])).unwrap();
    let points: Vec<(u32, usize)> = ring.points().collect();
    assert_eq!(points.len(), 320);
    assert_eq!(points[..2], [(0x01c6_e747, 0), (0x02ef_991a, 1)]);
    assert_eq!(points[319], (0xff97_a45a, 0));
    for (key, server) in [
        ("127.0.0.1", "127.0.0.1:6002"),
        ("127.0.0.2", "127.0.0.1:6002"),
        ("127.0.0.3", "127.0.0.1:6002"),
        ("10.0.0.1", "127.0.0.1:6000"),
        ("192.168.1.100", "127.0.0.1:6000"),
        ("203.0.113.7", "127.0.0.1:6002"),
    ] {
        assert_eq!(chosen(&ring, key), server, "{key}");
    }
}

#[test]
fn every_form_of_a_name_has_the_points_that_zlib_gives_it() {
    // zlib.crc32(HOST + b"\0" + PORT + before) in Python, with HOST and PORT cut by hand.
    for (name, points) in [
        ("127.0.0.1:6000", [0x9413_0518, 0x91f8_ae4c, 0xcd5a_5a90]),
        ("[::1]:6000", [0x9124_057c, 0xc0e6_9ac7, 0x197a_783f]),
        ("[::1]", [0xb368_a5ff, 0x4d92_3f1c, 0xcd8a_3ac0]),
        ("localhost", [0xf81e_6f9c, 0x2b24_f86c, 0x6f6d_1da9]),
        ("unix:/run/c.sock", [0xabe2_54dc, 0x8199_3f9f, 0x5bca_8566]),
        ("UNIX:/run/c.sock", [0xabe2_54dc, 0x8199_3f9f, 0x5bca_8566]),
        ("127.0.0.1:6000-6002", [0x062d_fb0e, 0x962a_efd6, 0xd1ab_708f]),
        ("6000", [0x92f6_5c74, 0x4fea_0838, 0xeb88_9ae5]),
        ("h:", [0x5565_2c94, 0x559b_df7a, 0x5e86_e8cb]),
    ] {
        assert_eq!(server_points(name).take(3).collect::<Vec<u32>>(), points, "{name}");
    }
}

#[test]
fn plain_hash_is_that_of_cache_memcached() {
    // The rule written out in Python with zlib.crc32.
    let even = Plain::new(named(&["a:1", "b:1", "c:1"])).unwrap();
    let heavy = weighted(&[("a:1", 3), ("b:1", 1), ("c:1", 2)]);
    let mut without_a = heavy.clone();
    without_a[0].down = true;
    let (heavy, without_a) = (Plain::new(heavy).unwrap(), Plain::new(without_a).unwrap());
    for (key, evenly, heavily, without) in [
        ("10.0.0.1", [1, 2, 0], [2, 1, 0], [2, 1]),
        ("10.0.0.2", [1, 0, 2], [0, 1, 2], [1, 2]),
        ("192.168.1.100", [2, 1, 0], [2, 1, 0], [2, 1]),
        ("203.0.113.7", [1, 2, 0], [2, 0, 1], [2, 1]),
        ("a", [2, 1, 0], [2, 0, 1], [2, 1]),
    ] {
        let key = key.as_bytes();
        assert_eq!(even.route(key), evenly);
        assert_eq!(heavy.route(key), heavily);
        assert_eq!(without_a.route(key), without);
        assert_eq!(without_a.choose(key), Choice::Server(without[0]));
    }
}

#[test]
fn the_seeds_ring_is_that_of_md5_in_another_language() {
    // sum(struct.unpack("<4I", hashlib.md5(text).digest())) % 2**32 in Python.
    let points: Vec<u32> = seed_points("127.0.0.1", 6000, 4).collect();
    assert_eq!(points, [0x1bb3_fb29, 0xc8bb_50ca, 0x5c76_7035, 0xe84b_127f, 0x646b_443b]);
    let points: Vec<u32> = seed_points("Chat-A.example", 6002, 3).collect();
    assert_eq!(points, [0x3383_6421, 0x95a3_11eb, 0xa356_ef1e, 0xd8fb_1e9d]);
    let servers = [("127.0.0.1", 6000, 100), ("127.0.0.1", 6002, 100), ("10.1.1.1", 6000, 50)];
    let ring = Seed::new(servers).unwrap();
    let points: Vec<(u32, usize)> = ring.points().collect();
    assert_eq!((points.len(), points[0].0, points[252].0), (253, 0x01d2_91e8, 0xfec5_af69));
    for (host, port, server) in [
        ("192.168.1.1", 1000, 0),
        ("192.168.1.2", 1001, 1),
        ("10.0.0.7", 40_000, 2),
        ("client.example", 5, 1),
        ("127.0.0.1", 50_000, 0),
        ("203.0.113.7", 60_123, 2),
        // A client on a server's own point belongs to the next one.
        ("127.0.0.1", 6000, 1),
    ] {
        assert_eq!(ring.choose(host, port), server, "{host}:{port}");
    }
    let last = points.last().unwrap().0;
    let beyond = (0u32..).map(|n| format!("10.9.{}.{}", n >> 8, n & 255));
    let beyond = beyond.take(60_000).find(|host| seed_hash(&format!("{host}:1")) >= last);
    assert_eq!(ring.choose(&beyond.expect("some address lies there"), 1), points[0].1, "around the end");
}

#[test]
fn a_ring_agrees_with_the_rules_as_they_are_written() {
    let seed = common::seed();
    println!("CHATD_SEED={seed}");
    let mut random = Random(seed);
    for round in 0..30 {
        let count = 2 + random.below(12);
        let servers = scattered(&mut random, count, |random| random.below(4) == 0);
        let (ring, points) = (Consistent::new(servers.clone()).unwrap(), slow_points(&servers));
        for n in 0..60 {
            let key = sample_key(random.number() as u32);
            let route = slow_route(&points, &servers, key.as_bytes());
            assert_eq!(ring.route(key.as_bytes()), route, "round {round}, key {n}: {key}, {servers:?}");
            let choice = route.first().map_or(Choice::RoundRobin, |&server| Choice::Server(server));
            assert_eq!(ring.choose(key.as_bytes()), choice);
        }
    }
}

#[test]
fn of_equal_points_the_first_servers_is_chosen() {
    // 600 servers have 96,000 points, of which one in a few thousand pairs is equal by chance.
    let servers: Vec<Server> =
        (0..600).map(|n| Server::new(format!("10.0.{}.{}:6000", n >> 8, n & 255))).collect();
    let mut owners: BTreeMap<u32, usize> = BTreeMap::new();
    let mut ties = Vec::new();
    for (index, server) in servers.iter().enumerate() {
        for hash in server_points(&server.name).take(160) {
            let first = *owners.entry(hash).or_insert(index);
            if first != index {
                ties.push((hash, first));
            }
        }
    }
    assert!(!ties.is_empty(), "these names were chosen because some of their points are equal");
    let ring = Consistent::new(servers).unwrap();
    assert_eq!(ring.points().collect::<Vec<_>>(), owners.into_iter().collect::<Vec<_>>());
    for (hash, first) in ties {
        assert_eq!(ring.choose_hash(hash), Choice::Server(first), "{hash:08x}");
    }
}

#[test]
fn a_server_has_its_part_of_the_ring() {
    let seed = common::seed();
    println!("CHATD_SEED={seed}");
    let servers = scattered(&mut Random(seed), 40, |_| false);
    let weight: u32 = servers.iter().map(|server| server.weight).sum();
    let ring = Consistent::new(servers).unwrap();
    let shares = ring.shares();
    assert_eq!(shares.iter().sum::<u64>(), 1 << 32, "the whole ring belongs to somebody");
    assert_eq!(shares[40], 0, "nothing goes round robin while all are up");
    for (server, share) in ring.servers().iter().zip(shares) {
        let fair = (1u64 << 32) as f64 * f64::from(server.weight) / f64::from(weight);
        let off = share as f64 / fair;
        // 160 points have a part whose deviation is 1/√160, 8 %: this is more than five of them.
        assert!((0.55..1.45).contains(&off), "{} has {off:.2} of its part", server.name);
    }
}

#[test]
fn nothing_moves_but_to_a_new_server_and_from_one_that_is_gone() {
    let seed = common::seed();
    println!("CHATD_SEED={seed}");
    let mut random = Random(seed);
    for _ in 0..20 {
        let count = 2 + random.below(10);
        let servers = scattered(&mut random, count, |_| false);
        let without = Consistent::new(servers.clone()).unwrap();
        let mut more = servers;
        // Where it stands in the configuration is of no account but for ties.
        more.push(Server { weight: 1 + random.below(3) as u32, ..Server::new("new.example:7000") });
        let with = Consistent::new(more.clone()).unwrap();
        let new = Choice::Server(more.len() - 1);
        let joined = Moves::of_rings(&without, &with);
        assert_eq!(joined.total(), 1 << 32);
        assert!(joined.amounts().all(|((from, to), _)| from == to || to == new), "only to the new one");
        let moved: u64 =
            joined.amounts().filter(|((from, to), _)| from != to).map(|(_, amount)| amount).sum();
        assert_eq!(moved, with.shares()[more.len() - 1], "and no more than becomes its own");
        let left = Moves::of_rings(&with, &without);
        assert!(left.amounts().all(|((from, to), _)| from == to || from == new), "only from the one gone");
    }
}

#[test]
fn what_is_down_is_spread_and_nothing_else_moves() {
    let servers = named(&["a:1", "b:1", "c:1", "d:1", "e:1"]);
    let up = Consistent::new(servers.clone()).unwrap();
    let mut servers = servers;
    servers[2].down = true;
    let down = Consistent::new(servers).unwrap();
    let gone = Choice::Server(2);
    let moves = Moves::of_rings(&up, &down);
    assert!(moves.amounts().all(|((from, to), _)| (from == to) != (from == gone)));
    let heirs = moves.amounts().filter(|&((from, to), _)| from == gone && to != Choice::RoundRobin).count();
    assert_eq!(heirs, 4, "all others inherit");
    for key in (0..2_000).map(sample_key) {
        let key = key.as_bytes();
        let after =
            up.route(key).into_iter().find(|&server| server != 2).map_or(Choice::RoundRobin, Choice::Server);
        assert_eq!(down.choose(key), after, "where next is what a mark of down makes of it");
    }
}

#[test]
fn after_twenty_points_of_servers_that_are_down_it_goes_round_robin() {
    // One server of weight 1 among weight 60 that is down: most keys see 21 points that are no use.
    let mut servers = weighted(&[("a:1", 60), ("b:1", 1)]);
    servers[0].down = true;
    let (ring, points) = (Consistent::new(servers.clone()).unwrap(), slow_points(&servers));
    let (mut round_robin, mut found) = (0, 0);
    for key in (0..3_000).map(sample_key) {
        let route = slow_route(&points, &servers, key.as_bytes());
        let choice = route.first().map_or(Choice::RoundRobin, |&server| Choice::Server(server));
        assert_eq!(ring.choose(key.as_bytes()), choice, "{key}");
        if choice == Choice::RoundRobin { round_robin += 1 } else { found += 1 }
    }
    assert!(round_robin > 1_000 && found > 300, "{round_robin} and {found}");
    let shares = ring.shares();
    assert_eq!((shares[0], shares[1] + shares[2]), (0, 1 << 32));
    assert!(shares[2] > shares[1]);
}

#[test]
fn a_ring_of_points_is_that_of_weights_where_they_agree() {
    let servers = weighted(&[("a:1", 3), ("b:1", 1)]);
    let points = servers.iter().map(|server| (server.clone(), server.weight * 160)).collect();
    let (by_weight, by_points) =
        (Consistent::new(servers).unwrap(), Consistent::with_points(points).unwrap());
    assert!(by_weight.points().eq(by_points.points()));
    let few = Consistent::with_points(vec![(Server::new("a:1"), 2), (Server::new("b:1"), 1)]).unwrap();
    assert_eq!(few.points().len(), 3);
}

#[test]
fn arcs_leave_no_gap_and_each_is_where_its_keys_go() {
    let ring = Consistent::new(named(&["a:1", "b:1", "c:1"])).unwrap();
    let arcs: Vec<Arc> = ring.arcs().collect();
    assert_eq!((arcs[0].first, arcs.last().unwrap().last), (0, u32::MAX));
    assert!(arcs.windows(2).all(|pair| pair[0].last + 1 == pair[1].first));
    for arc in arcs {
        for hash in [arc.first, arc.first + (arc.last - arc.first) / 2, arc.last] {
            assert_eq!(ring.choose_hash(hash), arc.choice, "{hash:08x}");
        }
    }
}

#[test]
fn two_rings_side_by_side_are_what_each_says_alone() {
    let before = Consistent::new(weighted(&[("a:1", 1), ("b:1", 2)])).unwrap();
    let after = Consistent::new(weighted(&[("b:1", 1), ("c:1", 1), ("a:1", 3)])).unwrap();
    let mut next = 0u64;
    pairs(&before, &after, |between, first, last| {
        assert_eq!(u64::from(first), next);
        next = u64::from(last) + 1;
        for hash in [first, last] {
            assert_eq!(between, (before.choose_hash(hash), after.choose_hash(hash)));
        }
    });
    assert_eq!(next, 1 << 32);
}

#[test]
fn one_name_is_chosen_whatever_the_key_and_several_not_by_an_empty_one() {
    let one = Consistent::new(named(&["host:1", "host:1"])).unwrap();
    assert_eq!(one.choose(b""), Choice::Server(0));
    assert_eq!(one.points().len(), 160, "points belong to names");
    let several = Consistent::new(named(&["a:1", "b:1"])).unwrap();
    assert_eq!((several.choose(b""), several.route(b"")), (Choice::RoundRobin, vec![]));
    let plain = Plain::new(named(&["host:1", "host:1"])).unwrap();
    assert_eq!(plain.choose(b""), Choice::RoundRobin, "here addresses count");
    assert_eq!(Plain::new(named(&["a:1"])).unwrap().choose(b""), Choice::Server(0));
}

#[test]
fn an_address_of_a_name_that_is_down_leaves_the_other() {
    let mut servers = named(&["host:1", "b:1", "host:1"]);
    servers[0].down = true;
    let ring = Consistent::new(servers).unwrap();
    let shares = ring.shares();
    assert!(shares[0] > 0 && shares[2] == 0, "the first of a name stands for all: {shares:?}");
}

#[test]
fn what_nginx_refuses_is_refused() {
    let zero = || weighted(&[("a:1", 0)]);
    let huge = || weighted(&[("a:1", u32::MAX), ("b:1", u32::MAX)]);
    for (servers, error) in
        [(vec![], RingError::NoServers), (zero(), RingError::WeightZero), (huge(), RingError::TooManyPoints)]
    {
        assert_eq!(Consistent::new(servers.clone()).err(), Some(error));
        // Plain hash has no points.
        let plain = Some(error).filter(|&error| error != RingError::TooManyPoints);
        assert_eq!(Plain::new(servers).err(), plain);
    }
    assert_eq!(Consistent::with_points(vec![]).err(), Some(RingError::NoServers));
    let none = (Server::new("a:1"), 0);
    assert_eq!(Consistent::with_points(vec![none]).err(), Some(RingError::WeightZero));
    assert_eq!(Seed::new([]).err(), Some(RingError::NoServers));
    assert_eq!(Seed::new([("a", 1, u32::MAX)]).err(), Some(RingError::TooManyPoints));
}

#[test]
fn keys_are_counted_as_they_are_chosen() {
    let before = Balancing::Plain(Plain::new(named(&["a:1", "b:1"])).unwrap());
    let after = Balancing::Consistent(Consistent::new(named(&["b:1", "c:1"])).unwrap());
    let keys: Vec<String> = (0..5_000).map(sample_key).collect();
    let moves = Moves::of_keys(&before, &after, keys.iter().map(String::as_bytes));
    assert_eq!(moves.total(), 5_000);
    for (between, amount) in moves.amounts() {
        let same = keys
            .iter()
            .filter(|key| (before.choose(key.as_bytes()), after.choose(key.as_bytes())) == between);
        assert_eq!(same.count() as u64, amount, "{between:?}");
    }
}
