//! Lines of nobody: the menu, and what it leads to.

use super::{Elsewhere, Next, Pending, Step, Talk, bad};
use crate::show::Shown;
use chatd_chat::model::ids::UserId;
use chatd_client::{Named, Request, Secret, Takeover};

impl Talk {
    pub(super) fn outside(&mut self, line: &str, say: &mut Vec<Shown>) -> Next {
        match std::mem::replace(&mut self.step, Step::Menu) {
            Step::Who => match named(line.trim()) {
                Ok(user) => self.then(Step::Password(user)),
                Err(why) => bad(say, why),
            },
            Step::Password(user) => {
                let wanted = self.elsewhere == Elsewhere::TakeOver;
                enter(user, line.into(), if wanted { Takeover::Replace } else { Takeover::Refuse })
            }
            Step::TakeOver(user, password) => match line.trim() {
                "yes" | "y" => enter(user, password, Takeover::Replace),
                "no" | "n" | "" => Next::Go,
                _ => {
                    self.step = Step::TakeOver(user, password);
                    bad(say, "it is yes or no")
                }
            },
            Step::NewName => match line.trim() {
                "" => bad(say, "a name is not empty"),
                name => self.then(Step::NewPassword(name.to_owned())),
            },
            Step::NewPassword(name) => {
                let invitation = self.invitation.clone();
                let request = Request::Register { name: name.clone(), password: line.into(), invitation };
                Next::Ask(request, Pending::Register(name))
            }
            _ => self.choice(line.trim(), say),
        }
    }

    fn then(&mut self, step: Step) -> Next {
        self.step = step;
        Next::Go
    }

    fn choice(&mut self, line: &str, say: &mut Vec<Shown>) -> Next {
        match line {
            "" => Next::Go,
            "1" | "login" => self.then(Step::Who),
            "2" | "register" => self.then(Step::NewName),
            "3" | "quit" | "/quit" => Next::Leave,
            "help" | "/help" => {
                say.push(Shown::Help);
                Next::Go
            }
            _ => bad(say, "choose 1, 2 or 3: nobody is logged in"),
        }
    }
}

fn named(text: &str) -> Result<Named, &'static str> {
    match text.parse::<u64>() {
        Ok(number) => UserId::new(number).map(Named::Id).ok_or("a userid is a number from 1 on"),
        Err(_) if text.is_empty() => Err("a userid is a number from 1 on, and a name is not empty"),
        Err(_) => Ok(Named::from(&*crate::directory::bare(text))),
    }
}

fn enter(user: Named, password: Secret, takeover: Takeover) -> Next {
    let request = Request::Login { user: user.clone(), password: password.clone(), takeover };
    Next::Ask(request, Pending::Login(user, password, takeover))
}
