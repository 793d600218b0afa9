//! Listeners, and a thread for each client.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Builder};
use std::time::Duration;

use crate::bridge::Bridge;
use crate::conversation::converse;
use crate::log::Throttle;

/// Clients at once.
const CLIENTS: usize = 256;
const STACK_BYTES: usize = 512 << 10;
/// After an error in `accept`, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

static CROWDED: Throttle = Throttle::new();
static FAILED: Throttle = Throttle::new();

/// Serves all that come. Does not return unless no thread can be started.
///
/// # Errors
/// If no thread can be started for a listener.
pub fn serve(listeners: Vec<TcpListener>, bridge: &Arc<Bridge>) -> Result<(), String> {
    let places = Arc::new(Places::default());
    let start_one = |listener: TcpListener| {
        let (bridge, places) = (bridge.clone(), places.clone());
        start("listener", move || accept(&listener, &bridge, &places))
    };
    let threads = listeners.into_iter().map(start_one).collect::<Result<Vec<_>, _>>()?;
    threads.into_iter().for_each(|thread| _ = thread.join());
    Ok(())
}

/// Starts a thread.
///
/// # Errors
/// If the system has no room for it.
pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, String> {
    let builder = Builder::new().name(name.into()).stack_size(STACK_BYTES);
    builder.spawn(work).map_err(|error| format!("no thread for a {name}: {error}"))
}

fn accept(listener: &TcpListener, bridge: &Arc<Bridge>, places: &Arc<Places>) {
    loop {
        let started = listener.accept().and_then(|(stream, peer)| {
            let Some(place) = places.take(&stream, peer)? else { return Ok(()) };
            let bridge = bridge.clone();
            start("client", move || converse(&stream, bridge, &place.client.is_stranger)).map_err(io::Error::other)?;
            Ok(())
        });
        if let Err(error) = started {
            FAILED.warn(format_args!("a connection is not served: {error}"));
            thread::sleep(PAUSE);
        }
    }
}

/// Who is connected, the oldest first.
#[derive(Default)]
struct Places(Mutex<Vec<Arc<Client>>>);

struct Client {
    stream: TcpStream,
    /// It has shown no key yet.
    is_stranger: AtomicBool,
}

/// A client's place, free again when it is dropped.
struct Place {
    places: Arc<Places>,
    client: Arc<Client>,
}

impl Places {
    /// A place for a client, that of the oldest stranger if there is no other; `None` if there is none at all.
    fn take(self: &Arc<Places>, stream: &TcpStream, peer: SocketAddr) -> io::Result<Option<Place>> {
        let mut clients = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if clients.len() >= CLIENTS {
            let stranger = clients.iter().position(|client| client.is_stranger.load(Ordering::Relaxed));
            let Some(stranger) = stranger else {
                CROWDED.warn(format_args!("{peer} is not served: there are {CLIENTS} clients"));
                return Ok(None);
            };
            CROWDED.warn(format_args!("there are {CLIENTS} clients: the oldest without a signature goes"));
            // Its thread ends by that.
            _ = clients.remove(stranger).stream.shutdown(Shutdown::Both);
        }
        let client = Arc::new(Client { stream: stream.try_clone()?, is_stranger: AtomicBool::new(true) });
        clients.push(client.clone());
        Ok(Some(Place { places: self.clone(), client }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.places.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        clients.retain(|client| !Arc::ptr_eq(client, &self.client));
    }
}
