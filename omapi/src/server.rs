//! Listeners, and a thread for each client.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, Builder};
use std::time::Duration;

use crate::bridge::Bridge;
use crate::conversation::converse;
use crate::log::Throttle;
use crate::places::Places;

const STACK_BYTES: usize = 512 << 10;
/// After an error in `accept`, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

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
            start("client", move || converse(&stream, bridge, &place.client)).map_err(io::Error::other)?;
            Ok(())
        });
        if let Err(error) = started {
            FAILED.warn(format_args!("a connection is not served: {error}"));
            thread::sleep(PAUSE);
        }
    }
}
