//! One message: who says it, whether he may, and what is answered. The order of the checks and all texts are dhcpd's.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use crate::bridge::Bridge;
use crate::frame::{Attributes, Frame, Received, operation};
use crate::handles::Handles;
use crate::kea::PATIENCE;
use crate::log::{self, Throttle};
use crate::objects::{self, Found, Item, Kind, Object, number};
use crate::places::Client;
use crate::request;
use crate::result::{
    EXISTS, Failure, INVALID_ARGUMENT, INVALID_KEY, NO_KEYS, NO_PERMISSION, NOT_FOUND, NOT_IMPLEMENTED, SUCCESS,
};

static NO_KEY: Throttle = Throttle::new();
static UNKNOWN_KEY: Throttle = Throttle::new();
static WRONG_SIGNATURE: Throttle = Throttle::new();
static REFUSED: Throttle = Throttle::new();
static AGAIN: Throttle = Throttle::new();

/// What one connection knows.
pub struct Session {
    bridge: Arc<Bridge>,
    peer: String,
    handles: Handles<Object>,
    /// Keys that the client has opened, by the handles of these.
    authenticators: HashMap<u32, usize>,
    /// The key of the message that is served.
    signer: Option<usize>,
    next_tid: u32,
    blanks: u32,
    /// When it has named a key, or signed something.
    signed: Option<Instant>,
    is_trusted: bool,
    client: Arc<Client>,
}

/// What is answered, or that there is nothing to say any more.
enum Answer {
    Item(Item),
    Status(Failure),
    Close,
}

/// dhcpd says this of whatever went wrong in between.
const UPDATE: &str = "can't update object";
const NO_HANDLE: &str = "no matching handle";
const SERVED: Failure =
    Failure { result: NO_PERMISSION, text: Some("this message was served before"), is_half_done: false };

impl Session {
    pub fn new(bridge: Arc<Bridge>, client: Arc<Client>, peer: String) -> Session {
        let is_trusted = bridge.keys.is_empty();
        client.heard(!is_trusted);
        let next_tid = RandomState::new().hash_one(0) as u32;
        Session {
            bridge,
            peer,
            handles: Handles::new(),
            authenticators: HashMap::new(),
            signer: None,
            next_tid,
            blanks: 0,
            signed: None,
            is_trusted,
            client,
        }
    }

    /// Whether the client has shown that it knows a secret, or need not.
    pub fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// When the client has opened a key, or signed something.
    pub fn signed(&self) -> Option<Instant> {
        self.signed
    }

    /// Serves a message; `None` ends the connection.
    pub fn serve(&mut self, received: &Received) -> Option<Vec<u8>> {
        let frame = &received.frame;
        let signer = match frame.authid {
            0 => None,
            authid => Some(*self.authenticators.get(&authid)?),
        };
        self.signer = signer;
        if let Some(key) = signer {
            if !self.bridge.keys[key].verify(&received.signed, &frame.signature) {
                WRONG_SIGNATURE.warn(format_args!("{}: a wrong signature: is it the same secret?", self.who()));
                return self.answer(frame, None, Answer::Status(INVALID_KEY.into()));
            }
            let is_unheard = self.bridge.is_unheard(&frame.signature);
            self.is_trusted |= is_unheard;
            self.signed = Some(Instant::now());
        }
        self.client.heard(!self.is_trusted);
        let bridge = self.bridge.clone();
        let is_recorded = signer.is_some() && !self.is_trusted;
        // One after the other, and not beside those who are known.
        let queue = is_recorded.then(|| bridge.strangers.try_lock_for(PATIENCE));
        if matches!(queue, Some(None)) {
            return None;
        }
        let answer = match self.refuse(frame, signer) {
            Some(failure) => Answer::Status(failure),
            None => self.operate(frame),
        };
        if let Answer::Status(failure) = answer {
            self.follow(frame, failure);
        }
        self.answer(frame, signer, answer)
    }

    /// Why a message is not even looked at.
    fn refuse(&self, frame: &Frame, signer: Option<usize>) -> Option<Failure> {
        if signer.is_none() {
            let opens_key = frame.operation == operation::OPEN && request::kind(frame) == Some(Kind::Key);
            let refused = !self.bridge.keys.is_empty() && !opens_key;
            return refused.then(|| {
                NO_KEY
                    .warn(format_args!("{}: a message without a key: the client has to use one of --keys", self.peer));
                Failure::new(NO_KEYS, "No authenticator on message")
            });
        }
        if !request::is_change(frame) {
            return None;
        }
        match self.bridge.is_new(&frame.signature) {
            Ok(true) => None,
            Ok(false) => {
                AGAIN.warn(format_args!(
                    "{}: a change that was served before is not served again (omshell repeats itself: --allow-repeats)",
                    self.who()
                ));
                Some(SERVED)
            }
            Err(failure) => Some(failure),
        }
    }

    /// What becomes of a change that fails.
    fn follow(&self, frame: &Frame, failure: Failure) {
        if failure.result == SUCCESS || !request::is_change(frame) {
            return;
        }
        if self.signer.is_some() && !failure.is_half_done && failure != SERVED {
            self.bridge.forget(&frame.signature);
        }
        let object = match (request::kind(frame), self.handles.get(frame.handle)) {
            (Some(_), _) | (None, None) => request::named(frame),
            (None, Some(object)) => object.to_string(),
        };
        let (result, word) = (failure.result, failure.word());
        let text = format!("{}: {} of {object} is refused: {word} ({result})", self.who(), request::verb(frame));
        if self.is_trusted { log::warn(text) } else { REFUSED.warn(text) }
    }

    fn operate(&mut self, frame: &Frame) -> Answer {
        // Nothing was asked of a client that it could answer.
        if frame.rid != 0 {
            return Answer::Close;
        }
        let done = match frame.operation {
            operation::OPEN => self.open(frame),
            operation::REFRESH => self.handled(frame).map(|(_, item)| Answer::Item(item)),
            operation::UPDATE => self.update(frame),
            operation::DELETE => self.delete(frame),
            operation::NOTIFY => Err(Failure::new(NOT_IMPLEMENTED, "notify not implemented yet")),
            _ => Ok(Answer::Close),
        };
        done.unwrap_or_else(Answer::Status)
    }

    fn open(&mut self, frame: &Frame) -> Result<Answer, Failure> {
        let flag = |name: &str, text| match frame.message.get(name) {
            Some(value) => number(value).map(|number| number != 0).map_err(|failure| failure.or_text(text)),
            None => Ok(false),
        };
        let create = flag("create", "invalid create flag value")?;
        let update = flag("update", "invalid update flag value")?;
        let exclusive = flag("exclusive", "invalid exclusive flag value")?;
        let Some(kind) = request::kind(frame) else {
            if create {
                return Err(Failure::new(INVALID_ARGUMENT, "type required on create"));
            }
            return self.handled(frame).map(|(_, item)| Answer::Item(item));
        };
        let bridge = self.bridge.clone();
        // What is found stays so until it is changed. A key is opened by strangers, and never changed: they take no turn.
        let is_change = create || update;
        let mut turn = if is_change && kind != Kind::Key { Some(bridge.turn()?) } else { None };
        let found = objects::find(&bridge, kind, &self.handles, &frame.object)
            .map_err(|failure| failure.or_text("object lookup failed"))?;
        let item = match found {
            Found::One(_) if create && exclusive => {
                return Err(Failure::new(EXISTS, "specified object already exists"));
            }
            Found::One(item) => item,
            Found::Nothing if !create => {
                if kind == Kind::Key {
                    UNKNOWN_KEY.warn(format_args!("{}: --keys has no {}", self.peer, request::named(frame)));
                }
                return Err(Failure::new(NOT_FOUND, "no object matches specification"));
            }
            Found::Nothing | Found::NoKeys => self.blank(kind)?,
        };
        let Some(turn) = &mut turn else {
            let refused = Failure::from(NO_PERMISSION).or_text(UPDATE);
            return if is_change { Err(refused) } else { Ok(Answer::Item(item)) };
        };
        let is_new = is_blank(&item.object());
        let (done, is_other) =
            objects::update(&bridge, turn, item, &frame.object).map_err(|failure| failure.or_text(UPDATE))?;
        if is_other {
            self.tell(if is_new { "made" } else { "changed" }, &done);
        }
        Ok(Answer::Item(done))
    }

    fn blank(&mut self, kind: Kind) -> Result<Item, Failure> {
        if kind == Kind::Group && !self.bridge.has_groups() {
            log::warn(format_args!("{}: there are no groups without --state", self.who()));
        }
        self.blanks = self.blanks.wrapping_add(1);
        objects::blank(&self.bridge, kind, self.blanks).ok_or(Failure::new(NOT_IMPLEMENTED, "can't create new object"))
    }

    fn update(&mut self, frame: &Frame) -> Result<Answer, Failure> {
        let bridge = self.bridge.clone();
        let mut turn = bridge.turn()?;
        let (object, item) = self.handled(frame)?;
        if matches!(object, Object::Key(_)) {
            return Err(Failure::new(NO_PERMISSION, "cannot update authenticator"));
        }
        let (done, is_other) =
            objects::update(&bridge, &mut turn, item, &frame.object).map_err(|failure| failure.or_text(UPDATE))?;
        if is_other {
            self.tell(if is_blank(&object) { "made" } else { "changed" }, &done);
        }
        if object == Object::Control {
            // dhcpd has ended by now.
            return Ok(Answer::Close);
        }
        if done.object() != object {
            self.handles.change(frame.handle, done.object());
        }
        Ok(Answer::Status(SUCCESS.into()))
    }

    fn delete(&mut self, frame: &Frame) -> Result<Answer, Failure> {
        let bridge = self.bridge.clone();
        let turn = bridge.turn()?;
        let (_, item) = self.handled(frame)?;
        objects::delete(&bridge, &turn, &item)?;
        self.tell("deleted", &item);
        Ok(Answer::Status(SUCCESS.into()))
    }

    /// Who has changed what.
    fn tell(&self, verb: &str, item: &Item) {
        log::info(format_args!("{}: {verb} {}", self.who(), item.object()));
    }

    fn who(&self) -> String {
        match self.signer.and_then(|key| self.bridge.keys.get(key)) {
            Some(key) => format!("{}, key {}", self.peer, key.name),
            None => self.peer.clone(),
        }
    }

    /// What the frame's handle stands for.
    fn handled(&self, frame: &Frame) -> Result<(Object, Item), Failure> {
        let none = Failure::new(NOT_FOUND, NO_HANDLE);
        let object = self.handles.get(frame.handle).ok_or(none)?.clone();
        let item = objects::fetch(&self.bridge, &object)?.ok_or(none)?;
        Ok((object, item))
    }

    fn answer(&mut self, request: &Frame, signer: Option<usize>, answer: Answer) -> Option<Vec<u8>> {
        let mut frame = Frame { rid: request.tid, tid: self.next_tid, ..Frame::default() };
        self.next_tid = self.next_tid.wrapping_add(1);
        match answer {
            Answer::Close => return None,
            Answer::Status(failure) => {
                frame.operation = operation::STATUS;
                frame.message = status(failure);
            }
            Answer::Item(item) => {
                frame.operation = operation::UPDATE;
                let object = item.object();
                frame.handle = self.handles.of(&object);
                if let Object::Key(key) = object {
                    self.signed.get_or_insert_with(Instant::now);
                    self.authenticators.insert(frame.handle, key);
                }
                frame.object = item.attributes(&self.bridge, &mut self.handles);
            }
        }
        if let Some(key) = signer.map(|key| &self.bridge.keys[key]) {
            frame.authid = request.authid;
            frame.signature = key.sign(&frame.signed(key.algorithm.signature_bytes));
        }
        Some(frame.bytes())
    }
}

fn status(failure: Failure) -> Attributes {
    let mut out = Attributes::default();
    out.put_number("result", failure.result);
    if let Some(text) = failure.text {
        out.put("message", text);
    }
    out
}

fn is_blank(object: &Object) -> bool {
    matches!(object, Object::NewHost(_) | Object::NewGroup(_))
}
