//! Every mode of the ladder does the same: this kernel is asked for each.

use super::mode::RingMode;
use super::ring::{Expect, Operation, Ring};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test with a ring of each mode that this kernel has: a kernel of 2021 has one, of 2023 all.
fn in_each_mode(test: impl Fn(&mut Ring, RingMode)) {
    let mut modes = 0;
    for mode in RingMode::LADDER {
        match Ring::new(Some(mode)) {
            Ok(mut ring) => {
                modes += 1;
                test(&mut ring, mode);
            }
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{mode}: {error}"),
        }
    }
    assert!(modes > 0, "there is a ring");
}

/// Waits for the next completion that somebody waits for, with what was received.
fn complete(ring: &mut Ring) -> (Operation, i32, Vec<u8>) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        while let Some(completion) = ring.next() {
            let bytes = completion.lease.as_deref().unwrap_or(&[]).to_vec();
            completion.lease.into_iter().for_each(|lease| ring.give_back(lease));
            if completion.operation != Operation::Other {
                return (completion.operation, completion.result, bytes);
            }
        }
        ring.wait(PATIENCE);
    }
    panic!("nothing completes");
}

#[test]
fn the_best_mode_is_taken_that_the_kernel_has() {
    Ring::new(None).expect("a ring");
    for mode in RingMode::LADDER {
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }
    assert!("best".parse::<RingMode>().is_err());
}

#[test]
fn bytes_come_and_go() {
    in_each_mode(|ring, _| {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        // More often than there are buffers.
        for round in 0..600_u32 {
            let text = format!("message {round}");
            let expect = if round % 2 == 0 { Expect::Nothing } else { Expect::Bytes };
            ring.receive(7, ours.as_raw_fd(), expect);
            ring.enter();
            theirs.write_all(text.as_bytes()).expect("written");
            assert_eq!(complete(ring), (Operation::Receive(7), text.len() as i32, text.clone().into_bytes()));
            // SAFETY: the text lives until the send has completed.
            unsafe { ring.send(7, ours.as_raw_fd(), text.as_bytes()) };
            assert_eq!(complete(ring), (Operation::Send(7), text.len() as i32, Vec::new()));
            let mut echo = vec![0; text.len()];
            theirs.read_exact(&mut echo).expect("read");
            assert_eq!(echo, text.as_bytes());
        }
    });
}

/// More is asked for than the queue of submissions holds, with nothing to wait for: all of it happens.
#[test]
fn what_the_queue_has_no_room_for_waits() {
    in_each_mode(|ring, _| {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        const POLLS: u32 = 5_000;
        for slot in 0..POLLS {
            ring.poll(slot, ours.as_raw_fd());
        }
        drop(theirs);
        let mut seen = vec![false; POLLS as usize];
        for _ in 0..POLLS {
            let (operation, result, _) = complete(ring);
            let Operation::Poll(slot) = operation else { panic!("{operation:?}") };
            assert!(result > 0 && !std::mem::replace(&mut seen[slot as usize], true));
        }
    });
}

#[test]
fn a_poll_that_nobody_waits_for_ends() {
    in_each_mode(|ring, _| {
        let (ours, _theirs) = UnixStream::pair().expect("a pair");
        ring.poll(3, ours.as_raw_fd());
        ring.enter();
        ring.cancel_poll(3);
        assert_eq!(complete(ring).1, -libc::ECANCELED);
    });
}

#[test]
fn a_wait_ends_with_its_time() {
    in_each_mode(|ring, _| {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(5) {
            ring.wait(Duration::from_millis(5));
            while ring.next().is_some() {}
        }
    });
}

/// One timer, which an earlier one moves and a later one leaves alone.
#[test]
fn something_completes_when_a_timer_is_due() {
    in_each_mode(|ring, _| {
        let begun = Instant::now();
        ring.wake_at(begun + PATIENCE);
        ring.enter();
        ring.wake_at(begun + Duration::from_millis(5));
        ring.wake_at(begun + PATIENCE);
        while begun.elapsed() < Duration::from_millis(5) {
            ring.wait(Duration::MAX);
            while ring.next().is_some() {}
        }
        // It is gone: the next is made anew.
        ring.wake_at(Instant::now());
        ring.wait(Duration::MAX);
    });
}

#[test]
fn what_is_sent_at_once_completes_without_the_kernel() {
    in_each_mode(|ring, _| {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        ring.send_now(Operation::Send(4), ours.as_raw_fd(), b"a word");
        assert!(ring.has_sent() && ring.has_completions());
        assert_eq!(complete(ring), (Operation::Send(4), 6, Vec::new()));
        let mut word = [0; 6];
        theirs.read_exact(&mut word).expect("read");
        assert_eq!(&word, b"a word");
        drop(theirs);
        ring.send_now(Operation::Send(4), ours.as_raw_fd(), b"too late");
        assert_eq!(complete(ring).1, -libc::EPIPE);
        assert!(!ring.has_sent());
    });
}

/// A ring is dropped with operations under way: they have ended when it is gone, where the kernel can end them at once.
#[test]
fn a_ring_may_be_dropped_at_any_time() {
    in_each_mode(|ring, mode| {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        ring.receive(1, ours.as_raw_fd(), Expect::Nothing);
        ring.poll(2, ours.as_raw_fd());
        ring.enter();
        *ring = Ring::new(None).expect("another");
        theirs.write_all(b"too late").expect("written");
        ours.set_nonblocking(true).expect("a setting");
        let read = (&ours).read(&mut [0; 8]);
        assert!(matches!(read, Ok(8)) || mode == RingMode::Plain, "{mode}: something has taken it: {read:?}");
    });
}
