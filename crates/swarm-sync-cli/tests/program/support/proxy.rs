//! What stands between an agent and its hub and does to their connections what networks do.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How soon a change of the weather is noticed by who waits for bytes.
const POLL: Duration = Duration::from_millis(10);

/// Bytes taken from one side before they are given to the other. What is held up beyond that waits in sockets.
const BUFFER_BYTES: usize = 16 << 10;

/// What it does to bytes, of every connection there is and will be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Bytes to the hub stay here, and bytes from it. The connections look alive.
    pub(crate) holds: [bool; 2],
    /// Before each piece of bytes.
    pub(crate) delay: Duration,
    /// The longest piece, if there is one.
    pub(crate) piece: Option<usize>,
    /// Whoever connects is cut off at once.
    pub(crate) refuses: bool,
}

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// In an orderly way.
    Close,
    /// With a reset.
    Reset,
}

/// It ends with the test.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: String,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    hub: String,
    weather: Mutex<Weather>,
    /// Bytes until the connection that carries the last of them is cut, in the middle of whatever it is; 0
    /// if none is.
    fuse: AtomicUsize,
    links: Mutex<Vec<Arc<Link>>>,
    accepted: AtomicU64,
    over: AtomicBool,
}

/// One connection through it.
#[derive(Debug)]
struct Link {
    agent: TcpStream,
    hub: TcpStream,
    over: AtomicBool,
}

impl Proxy {
    pub(crate) fn start(hub: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        let state = Arc::new(State {
            hub: hub.to_owned(),
            weather: Mutex::default(),
            fuse: AtomicUsize::default(),
            links: Mutex::default(),
            accepted: AtomicU64::default(),
            over: AtomicBool::default(),
        });
        let accepting = Arc::clone(&state);
        thread::spawn(move || accepting.accept(&listener));
        Self { address, state }
    }

    /// From now on.
    pub(crate) fn set(&self, weather: Weather) {
        *lock(&self.state.weather) = weather;
    }

    /// Ends all connections that there are.
    pub(crate) fn end(&self, end: End) {
        for link in lock(&self.state.links).drain(..) {
            link.end(end);
        }
    }

    /// Cuts a connection once so many more bytes have passed.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.state.fuse.store(bytes, Ordering::SeqCst);
    }

    /// How often somebody connected.
    pub(crate) fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        self.end(End::Close);
        // It waits for whoever connects.
        let _ = TcpStream::connect(&self.address);
    }
}

impl State {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for agent in listener.incoming().map_while(Result::ok) {
            if self.over.load(Ordering::SeqCst) {
                return;
            }
            self.accepted.fetch_add(1, Ordering::SeqCst);
            if lock(&self.weather).refuses {
                continue;
            }
            // Without a hub the agent sees its connection closed.
            let Ok(hub) = TcpStream::connect(&self.hub) else {
                continue;
            };
            for socket in [&agent, &hub] {
                socket.set_nodelay(true).expect("a socket");
                socket.set_read_timeout(Some(POLL)).expect("a socket");
                socket.set_write_timeout(Some(POLL)).expect("a socket");
            }
            let link = Arc::new(Link {
                agent,
                hub,
                over: AtomicBool::default(),
            });
            let mut links = lock(&self.links);
            links.retain(|link| !link.is_over());
            links.push(Arc::clone(&link));
            drop(links);
            for way in [0, 1] {
                let (state, link) = (Arc::clone(&self), Arc::clone(&link));
                thread::spawn(move || state.pump(&link, way));
            }
        }
    }

    /// Moves bytes one way until the connection is over.
    fn pump(&self, link: &Link, way: usize) {
        let (mut from, mut to) = if way == 0 {
            (&link.agent, &link.hub)
        } else {
            (&link.hub, &link.agent)
        };
        let mut buffer = [0; BUFFER_BYTES];
        while !link.is_over() {
            let weather = *lock(&self.weather);
            if weather.holds[way] {
                thread::sleep(POLL);
                continue;
            }
            let piece = weather.piece.unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
            let read = match from.read(&mut buffer[..piece]) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if is_late(&error) => continue,
                Err(_) => break,
            };
            thread::sleep(weather.delay);
            // It may have begun to hold them meanwhile.
            while lock(&self.weather).holds[way] && !link.is_over() {
                thread::sleep(POLL);
            }
            let (passes, cut) = self.burn(read);
            if !link.write(&mut to, &buffer[..passes]) || cut {
                break;
            }
        }
        link.end(End::Close);
    }

    /// How many of the next bytes pass, and whether that is the end of the connection.
    fn burn(&self, bytes: usize) -> (usize, bool) {
        let burn = |left: usize| (left > 0).then(|| left.saturating_sub(bytes));
        match self
            .fuse
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, burn)
        {
            Ok(left) if left <= bytes => (left, true),
            _ => (bytes, false),
        }
    }
}

impl Link {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// False if they could not be written.
    fn write(&self, to: &mut impl Write, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() && !self.is_over() {
            match to.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if is_late(&error) => {}
                Err(_) => return false,
            }
        }
        bytes.is_empty()
    }

    fn end(&self, end: End) {
        if self.over.swap(true, Ordering::SeqCst) {
            return;
        }
        for socket in [&self.agent, &self.hub] {
            match end {
                // Whoever reads from it wakes up.
                End::Close => {
                    // It may be gone already.
                    let _ = socket.shutdown(Shutdown::Both);
                }
                // Once the last who has it open lets go, within a poll.
                End::Reset => {
                    let socket = socket2::SockRef::from(socket);
                    socket.set_linger(Some(Duration::ZERO)).expect("a socket");
                }
            }
        }
    }
}

fn is_late(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
