//! What is about the connection itself.

use bytes::Bytes;
use resp_proto::Protocol;

use super::{Call, Done, integer, is, unknown_subcommand};
use crate::embedded::{
    failure::{Failure, SYNTAX, wrong_arity},
    store::{DATABASES, owned},
    transactions,
    world::{About, VERSION},
};

pub(super) fn ping(call: &mut Call<'_>) -> Done {
    let text = match &call.args[1..] {
        [] => None,
        [text] => Some(text.clone()),
        _ => return Err(wrong_arity("ping")),
    };
    let listens = call.world.pubsub.count_of(call.session.about.id) > 0;
    if listens && call.session.about.protocol == Protocol::Resp2 {
        return call.bulks(&[Bytes::from_static(b"pong"), text.unwrap_or_default()]);
    }
    match text {
        Some(text) => call.reply().bulk(&text),
        None => call.reply().simple_string(b"PONG"),
    };
    Ok(())
}

pub(super) fn echo(call: &mut Call<'_>) -> Done {
    call.bulk_or_null(call.args.get(1))
}

pub(super) fn hello(call: &mut Call<'_>) -> Done {
    let mut args = &call.args[1..];
    let mut protocol = call.session.about.protocol;
    if let [version, rest @ ..] = args {
        args = rest;
        protocol = match integer(version) {
            Ok(2) => Protocol::Resp2,
            Ok(3) => Protocol::Resp3,
            Ok(_) => return Err("NOPROTO unsupported protocol version".into()),
            Err(_) => return Err("ERR Protocol version is not an integer or out of range".into()),
        };
    }
    let mut name = None;
    while let [word, rest @ ..] = args {
        args = match rest {
            [user, password, rest @ ..] if is(word, "auth") => {
                call.authenticate(user, password)?;
                rest
            }
            [given, rest @ ..] if is(word, "setname") => {
                name = Some(checked_name(given)?);
                rest
            }
            _ => {
                let word = String::from_utf8_lossy(word);
                return Err(format!("ERR Syntax error in HELLO option '{word}'").into());
            }
        };
    }
    if !call.session.authenticated {
        return Err(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise \
             the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client \
             and select the RESP protocol version at the same time"
                .into(),
        );
    }
    call.change(|about| {
        about.protocol = protocol;
        about.name = name.unwrap_or(std::mem::take(&mut about.name));
    });
    let id = call.session.about.id;
    let version = if protocol == Protocol::Resp3 { 3 } else { 2 };
    let mut reply = call.reply();
    reply.map(7).bulk(b"server").bulk(b"redis").bulk(b"version").bulk(VERSION.as_bytes());
    reply.bulk(b"proto").integer(version).bulk(b"id").integer(id as i64);
    reply.bulk(b"mode").bulk(b"standalone").bulk(b"role").bulk(b"master");
    reply.bulk(b"modules").array(0);
    Ok(())
}

pub(super) fn auth(call: &mut Call<'_>) -> Done {
    match call.args[1..].to_vec().as_slice() {
        [_] if call.world.settings.password.is_none() => {
            Err("ERR AUTH <password> called without any password configured for the default \
             user. Are you sure your configuration is correct?"
                .into())
        }
        [password] => call.authenticate(b"default", password).and_then(|()| call.ok()),
        [user, password] => call.authenticate(user, password).and_then(|()| call.ok()),
        _ => Err(SYNTAX),
    }
}

pub(super) fn select(call: &mut Call<'_>) -> Done {
    let database = usize::try_from(integer(&call.args[1])?).ok();
    let database = database.filter(|database| *database < DATABASES);
    let database = database.ok_or("ERR DB index is out of range")?;
    call.change(|about| about.database = database);
    call.ok()
}

pub(super) fn client(call: &mut Call<'_>) -> Done {
    let (subcommand, rest) = (call.args[1].to_ascii_lowercase(), &call.args[2..]);
    match (&subcommand[..], rest) {
        (b"id", []) => {
            let id = call.session.about.id;
            call.integer(id as usize)
        }
        (b"getname", []) => {
            let name = Some(call.session.about.name.clone()).filter(|name| !name.is_empty());
            call.bulk_or_null(name.as_ref())
        }
        (b"setname", [name]) => {
            let name = checked_name(name)?;
            call.change(|about| about.name = name);
            call.ok()
        }
        (b"setinfo", [attribute, value]) => {
            let value = checked_info(attribute, value)?;
            let is_name = is(attribute, "lib-name");
            call.change(|about| match is_name {
                true => about.lib_name = value,
                false => about.lib_version = value,
            });
            call.ok()
        }
        (b"list", []) => {
            let list: String = call.world.clients().map(|about| line(about) + "\n").collect();
            call.reply().verbatim(*b"txt", list.as_bytes());
            Ok(())
        }
        (b"info", []) => {
            let text = line(&call.session.about) + "\n";
            call.reply().verbatim(*b"txt", text.as_bytes());
            Ok(())
        }
        (b"list", _) => Err(SYNTAX),
        (known @ (b"id" | b"getname" | b"setname" | b"setinfo" | b"info"), _) => {
            Err(wrong_arity(&format!("client|{}", String::from_utf8_lossy(known))))
        }
        _ => Err(unknown_subcommand(call.args, "CLIENT")),
    }
}

fn line(about: &About) -> String {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let protocol = if about.protocol == Protocol::Resp3 { 3 } else { 2 };
    let (id, addr, laddr, database) = (about.id, &about.addr, &about.laddr, about.database);
    let (name, lib) = (text(&about.name), text(&about.lib_name));
    let version = text(&about.lib_version);
    format!(
        "id={id} addr={addr} laddr={laddr} name={name} db={database} resp={protocol} \
         lib-name={lib} lib-ver={version}"
    )
}

fn checked_name(name: &Bytes) -> Result<Bytes, Failure> {
    match name.iter().all(u8::is_ascii_graphic) {
        true => Ok(owned(name)),
        false => {
            Err("ERR Client names cannot contain spaces, newlines or special characters.".into())
        }
    }
}

fn checked_info(attribute: &Bytes, value: &Bytes) -> Result<Bytes, Failure> {
    let Some(known) = ["lib-name", "lib-ver"].into_iter().find(|known| is(attribute, known)) else {
        let attribute = String::from_utf8_lossy(attribute);
        return Err(format!("ERR Unrecognized option '{attribute}'").into());
    };
    match value.iter().all(u8::is_ascii_graphic) {
        true => Ok(owned(value)),
        false => {
            Err(format!("ERR {known} cannot contain spaces, newlines or special characters.")
                .into())
        }
    }
}

pub(super) fn quit(call: &mut Call<'_>) -> Done {
    call.session.closing = true;
    call.ok()
}

pub(super) fn reset(call: &mut Call<'_>) -> Done {
    transactions::end(call);
    let id = call.session.about.id;
    call.world.store.watches.unwatch(id);
    call.world.pubsub.forget(id);
    call.session.authenticated = call.world.settings.password.is_none();
    call.change(|about| {
        about.protocol = Protocol::Resp2;
        about.database = 0;
        about.name = Bytes::new();
    });
    call.reply().simple_string(b"RESET");
    Ok(())
}

impl Call<'_> {
    /// There is one user, who may need no password.
    fn authenticate(&mut self, user: &[u8], password: &[u8]) -> Done {
        let wanted = &self.world.settings.password;
        if user != b"default" || wanted.as_ref().is_some_and(|wanted| wanted != password) {
            return Err("WRONGPASS invalid username-password pair or user is disabled.".into());
        }
        self.session.authenticated = true;
        Ok(())
    }

    /// Changes what is known of the client, for itself and for all others.
    fn change(&mut self, change: impl FnOnce(&mut About)) {
        change(&mut self.session.about);
        self.world.learn(&self.session.about);
    }
}
