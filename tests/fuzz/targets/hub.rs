//! Sequences of events for two hubs, written as text: what they ask for is what may be asked for, whatever happens, and at
//! the end nothing is left.

use crate::Target;
use crate::world::World;

/// `TARGET` reads a line a command; `World::command` says which there are.
pub const TARGET: Target = Target {
    name: "hub",
    run,
    dictionary: &[
        b"\n+0\n", b"\n+1\n", b"\n+2\n", b"\n+3\n", b"\n+4\n", b"\n+5\n", b"\n@0\n", b"\n@1\n", b"\n@2\n", b"\n@3\n", b"\nx\n", b"\nh\n", b"\nc\n",
        b"\nF\n", b"\nS\n", b"\nw\n", b"\nz\n", b"\nt2\n", b"\nt3\n", b"\nt4\n", b"\nt5\n", b"\nd0\n", b"\nd1\n", b"\nq\n", b"\nr\n", b"\np0\n", b"\np1\n",
        b"\np2\n", b"\np3\n", b"\ne0\n", b"\ne1\n", b"\ne5\n", b"\ne9\n", b"\nb3\n", b"\nl1\n", b"\nj0\n", b"\ng1\n",
        b"{\"id\":1,\"msgid\":1,\"password\":\"p1\"}", b"{\"id\":2,\"msgid\":1,\"password\":\"p2\"}",
        b"{\"id\":1,\"msgid\":1,\"password\":\"p1\",\"v\":2,\"multi\":true,\"caps\":[\"own\",\"read\",\"typing\",\"changed\",\"group\",\"friend\"]}",
        b"{\"id\":2,\"msgid\":1,\"password\":\"p2\",\"v\":2,\"caps\":[\"own\",\"read\",\"typing\",\"changed\",\"group\",\"friend\"]}",
        b"\"takeover\":true", b"\"cid\":\"a\"", b"\"cid\":\"b\"", b"\"multi\":true", b"\"v\":2", b"$m", b"\"token\":\"token 1 of 1\"", b"\"toid\":2", b"\"groupid\":1",
        b"\"with\":1", b"\"pos\":1", b"{\"id\":1,\"msgid\":6,\"msg\":\"x\",\"toid\":2}", b"{\"id\":2,\"msgid\":10,\"groupid\":1,\"msg\":\"x\"}",
    ],
    bytes: 2_048,
};

fn run(bytes: &[u8]) {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let mut world = World::new(lines.next().unwrap_or_default());
    lines.take(100).for_each(|line| world.command(line));
    world.end();
}
