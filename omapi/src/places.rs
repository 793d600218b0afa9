//! Room for so many clients. When all is taken, a stranger makes room for who comes: a client that has shown no key, or has sent
//! nothing but what may be a recording.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::log::Throttle;

/// Clients at once.
const CLIENTS: usize = 256;
/// Those that had to make room may be served for a moment still.
const THREADS: usize = 2 * CLIENTS;
/// A client that is known makes room, too, if it has been silent for so long, and there is no stranger.
const SILENT: Duration = Duration::from_secs(60);

static CROWDED: Throttle = Throttle::new();

/// Who is connected, the oldest first.
#[derive(Default)]
pub struct Places(Mutex<All>);

#[derive(Default)]
struct All {
    clients: Vec<Arc<Client>>,
    threads: usize,
}

/// One that is connected.
pub struct Client {
    stream: TcpStream,
    state: Mutex<State>,
}

struct State {
    is_stranger: bool,
    is_gone: bool,
    heard: Instant,
}

impl Client {
    /// Something was heard of it, which a stranger could say or not.
    pub fn heard(&self, is_stranger: bool) {
        let mut state = self.state.lock();
        state.is_stranger = is_stranger;
        state.heard = Instant::now();
    }

    /// Whether it had to make room.
    pub fn is_gone(&self) -> bool {
        self.state.lock().is_gone
    }

    fn is_stranger(&self) -> bool {
        self.state.lock().is_stranger
    }

    fn is_silent(&self) -> bool {
        self.state.lock().heard.elapsed() > SILENT
    }
}

/// A client's place, free again when it is dropped.
pub struct Place {
    places: Arc<Places>,
    pub client: Arc<Client>,
}

impl Places {
    /// A place for a client, that of the oldest stranger if there is no other; `None` if there is none at all.
    ///
    /// # Errors
    /// If the system has no descriptor for it.
    pub fn take(self: &Arc<Places>, stream: &TcpStream, peer: SocketAddr) -> io::Result<Option<Place>> {
        let mut all = self.0.lock();
        let is_full = all.clients.len() >= CLIENTS;
        let first = |who: fn(&Client) -> bool| all.clients.iter().position(|client| who(client));
        let goes = if is_full { first(Client::is_stranger).or_else(|| first(Client::is_silent)) } else { None };
        match goes {
            Some(place) if all.threads < THREADS => {
                CROWDED.warn(format_args!("there are {CLIENTS} clients: the oldest without a signature goes"));
                let client = all.clients.remove(place);
                client.state.lock().is_gone = true;
                // Its thread ends by that.
                _ = client.stream.shutdown(Shutdown::Both);
            }
            _ if is_full => {
                CROWDED.warn(format_args!("{peer} is not served: there are {CLIENTS} clients"));
                return Ok(None);
            }
            _ => {}
        }
        let state = State { is_stranger: true, is_gone: false, heard: Instant::now() };
        let client = Arc::new(Client { stream: stream.try_clone()?, state: Mutex::new(state) });
        all.clients.push(client.clone());
        all.threads += 1;
        Ok(Some(Place { places: self.clone(), client }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.places.0.lock();
        all.clients.retain(|client| !Arc::ptr_eq(client, &self.client));
        all.threads -= 1;
    }
}
