//! Ends, and what must not be seen.

use super::screen::{CTRL_C, CTRL_D, ENTER, Screen, Setup};
use super::stand_in::StandIn;
use crate::common::chatd::Chatd;

#[test]
fn the_end_of_input_ends_it_at_the_menu_in_a_prompt_and_inside() {
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let mut at_the_menu = Screen::open(chatd.address);
    at_the_menu.see_last("choice:");
    at_the_menu.type_text(CTRL_D);
    assert_eq!(at_the_menu.end(), 0);

    let mut at_the_password = Screen::open(chatd.address);
    at_the_password.answer("choice:", "1");
    at_the_password.answer("userid or name:", "1");
    at_the_password.see_last("userpassword:");
    at_the_password.type_text(CTRL_D);
    assert_eq!(at_the_password.end(), 0);

    let mut inside = Screen::enter(chatd.address, amy.id, &amy.password);
    // With something typed it deletes, as everywhere.
    inside.type_text("x\x01");
    inside.type_text(CTRL_D);
    inside.see_last(">");
    inside.type_text(CTRL_D);
    assert_eq!(inside.end(), 0);
}

#[test]
fn an_interrupt_drops_the_line_and_not_the_program() {
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let mut screen = Screen::open(chatd.address);
    screen.answer("choice:", "1");
    screen.see_last("userid or name:");
    screen.type_text(CTRL_C);
    screen.see_last("choice:");
    screen.login(amy.id, &amy.password);
    screen.type_text("never mind");
    screen.see_last("> never mind");
    screen.type_text(CTRL_C);
    screen.see_last(">");
    screen.line("quit");
    assert_eq!(screen.end(), 0);
}

#[test]
fn passwords_are_never_seen() {
    let chatd = Chatd::start(1);
    let mut screen = Screen::open(chatd.address);
    screen.answer("choice:", "2");
    screen.answer("username:", "amy");
    screen.see_last("userpassword:");
    let cursor = screen.cursor();
    screen.type_text("opan\x7f\x7fen sesame");
    // Something that is seen tells that the password was read.
    screen.type_text(ENTER);
    screen.see("amy is registered: the userid is 1");
    assert!(!screen.echoes(), "echo is off between two lines");
    // All at once, as it is pasted: the answer to each prompt is there before the prompt.
    screen.type_text(&format!("1{ENTER}1{ENTER}open sesame{ENTER}/groups{ENTER}"));
    screen.see("welcome, amy");
    screen.see("no groups yet");
    let raw = screen.raw();
    assert!(!raw.contains("sesame") && !raw.contains("open s") && !raw.contains("opan"), "{raw:?}");
    assert_eq!(cursor.1, "userpassword: ".len() as u16, "the cursor tells no length");
    // Pasted as terminals do it, and with what does not belong into a password.
    screen.line("loginout");
    screen.answer("choice:", "1");
    screen.answer("userid or name:", "1");
    screen.answer("userpassword:", "\x1b[200~open ses\x1b[201~\x1b[D\tame");
    screen.until("the second welcome", |rows| {
        rows.iter().filter(|row| row.starts_with("welcome, amy")).count() == 2
    });
    assert!(!screen.raw().contains("open s"));
    // A wrong one neither.
    screen.line("loginout");
    screen.answer("choice:", "1");
    screen.answer("userid or name:", "1");
    screen.answer("userpassword:", "swordfish");
    screen.see("not logged in: id or password is invalid!");
    screen.see_last("choice:");
    screen.line("quit");
    assert_eq!(screen.end(), 0);
    assert!(!screen.raw().contains("swordfish"));
}

/// Where nothing can be edited, passwords are unseen all the same.
#[test]
fn passwords_are_not_seen_on_a_dumb_terminal_nor_by_a_script_that_is_typed() {
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let dumb = Setup::new().argument(chatd.address).environment("TERM", "dumb").start();
    let typed = Setup::new().argument(chatd.address).argument("--script").start();
    for (mut screen, prompts) in [(dumb, true), (typed, false)] {
        for (prompt, line) in [("choice:", "1".to_owned()), ("userid or name:", amy.id.to_string())] {
            if prompts {
                screen.see(prompt);
            }
            screen.line(&line);
        }
        screen.until_silent();
        screen.line(&amy.password);
        screen.see("welcome, amy");
        assert!(!screen.raw().contains(&amy.password), "{}", screen.raw());
        screen.line("quit");
        assert_eq!(screen.end(), 0);
        assert!(!screen.raw().contains("\x1b["), "{:?}", screen.raw());
        chatd.until_offline(&amy);
    }
}

#[test]
fn what_was_said_last_is_taken_before_leaving_and_what_is_not_is_told() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut screen = Screen::enter(chatd.address, amy.id, &amy.password);
    screen.type_text(&format!("chat:{}:good bye{ENTER}quit{ENTER}", ben.id));
    assert_eq!(screen.end(), 0);
    let mut reader = chatd.connect();
    reader.login_with_backlog(&ben, 1);

    let server = StandIn::new();
    let mut screen = Screen::open(server.address);
    let mut line = server.accept();
    screen.answer("choice:", "1");
    screen.answer("userid or name:", "1");
    screen.answer("userpassword:", "x");
    line.let_in_v2("amy", "token");
    screen.see_last(">");
    screen.type_text(&format!("chat:2:good bye{ENTER}quit{ENTER}"));
    assert_eq!(screen.end(), 4);
    assert!(screen.raw().contains("1 message was not said: the server did not answer"));
}

#[test]
fn the_terminal_is_left_as_it_was_found() {
    let chatd = Chatd::start(1);
    let mut screen = Screen::open(chatd.address);
    assert!(!screen.raw().contains("\x1b[?1049h"), "the lines stay when it ends");
    screen.see_last("choice:");
    assert!(!screen.echoes());
    screen.type_text("3\r");
    assert_eq!(screen.end(), 0);
    assert!(screen.raw().ends_with("\x1b[?2004l\r\n") || screen.raw().ends_with("\n"), "{:?}", screen.raw());
}

#[test]
fn colours_are_there_and_no_color_takes_them_away() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let coloured = |raw: &str| {
        raw.split("\x1b[").skip(1).any(|rest| {
            rest.split(|c: char| c.is_ascii_alphabetic())
                .next()
                .is_some_and(|parameters| rest[parameters.len()..].starts_with('m'))
        })
    };
    let mut screen = Screen::enter(chatd.address, amy.id, &amy.password);
    chatd.enter(&ben).chat_stored(&amy, "hello", "b1");
    screen.see("ben: hello");
    assert!(coloured(&screen.raw()));
    screen.line("quit");
    screen.end();
    chatd.until_offline(&amy);

    let mut plain = Setup::new().argument(chatd.address).environment("NO_COLOR", "1").start();
    plain.login(amy.id, &amy.password);
    chatd.until_offline(&ben);
    chatd.enter(&ben).chat_stored(&amy, "hello again", "b2");
    plain.see("ben: hello again");
    plain.line("help");
    plain.see_go_by("groupchat:groupid:message");
    assert!(!coloured(&plain.raw()), "{:?}", plain.raw());
}

/// Those that end a program which does nothing about them.
#[test]
fn no_signal_leaves_the_terminal_without_echo() {
    let chatd = Chatd::start(1);
    for signal in [
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGTERM,
        libc::SIGSTKFLT,
        libc::SIGXCPU,
        libc::SIGXFSZ,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGIO,
        libc::SIGPWR,
    ] {
        let mut screen = Screen::open(chatd.address);
        screen.see_last("choice:");
        screen.until_silent();
        screen.signal(signal);
        assert_eq!(screen.end(), 128 + signal as u32, "{signal}");
        assert!(screen.echoes(), "{signal}");
    }
}
