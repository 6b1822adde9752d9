//! A registry on loopback, as small as cargo lets one be: an index over HTTP, and a place to publish to.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

#[derive(Debug, Default)]
struct Shelf {
    /// By crate, its line of the index.
    lines: BTreeMap<String, String>,
    published: Vec<String>,
    refused: String,
    is_closed: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Registry {
    address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
    server: Option<JoinHandle<()>>,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let served = shelf.clone();
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if served.lock().unwrap().is_closed.load(Ordering::SeqCst) {
                    return;
                }
                answer(stream.unwrap(), address, &served);
            }
        });
        Self {
            address,
            shelf,
            server: Some(server),
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Refuses this crate from now on, and no other.
    pub(crate) fn refuse(&self, name: &str) {
        name.clone_into(&mut self.shelf.lock().unwrap().refused);
    }

    pub(crate) fn published(&self) -> Vec<String> {
        self.shelf.lock().unwrap().published.clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.shelf
            .lock()
            .unwrap()
            .is_closed
            .store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(server) = self.server.take() {
            server.join().unwrap();
        }
    }
}

/// One request per connection.
fn answer(stream: TcpStream, address: SocketAddr, shelf: &Mutex<Shelf>) {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        // Cargo may open a connection that it then has no need for.
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_ascii_lowercase());
    }
    if head.contains(&"expect: 100-continue".to_owned()) {
        reader
            .get_mut()
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .unwrap();
    }
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let (status, text) = response(&head[0], &body, address, &mut shelf.lock().unwrap());
    let length = text.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    reader
        .get_mut()
        .write_all(format!("{head}{text}").as_bytes())
        .unwrap();
}

fn response(
    request: &str,
    body: &[u8],
    address: SocketAddr,
    shelf: &mut Shelf,
) -> (&'static str, String) {
    let path = request.split(' ').nth(1).unwrap();
    if request.starts_with("put ") {
        return match publish(body, shelf) {
            Ok(()) => ("200 OK", "{}".to_owned()),
            Err(why) => (
                "403 Forbidden",
                json!({"errors": [{"detail": why}]}).to_string(),
            ),
        };
    }
    if path == "/config.json" {
        let base = format!("http://{address}");
        return (
            "200 OK",
            json!({"dl": format!("{base}/dl"), "api": base}).to_string(),
        );
    }
    match shelf.lines.get(path.rsplit('/').next().unwrap()) {
        Some(line) => ("200 OK", format!("{line}\n")),
        None => ("404 Not Found", String::new()),
    }
}

/// Takes a crate: a length and what it says of itself, a length and the package.
fn publish(body: &[u8], shelf: &mut Shelf) -> Result<(), String> {
    let (facts, rest) = part(body);
    let (package, _) = part(rest);
    let facts: Value = serde_json::from_slice(facts).unwrap();
    let name = facts["name"].as_str().unwrap();
    if name == shelf.refused {
        return Err(format!("the registry wants no {name}"));
    }
    let mut dependencies = facts["deps"].clone();
    for dependency in dependencies.as_array_mut().unwrap() {
        // A crate that looks elsewhere for its siblings could not be used.
        if !dependency["registry"].is_null() {
            return Err(format!("{name} needs something of another registry"));
        }
        dependency["req"] = dependency["version_req"].clone();
    }
    let digest = Sha256::digest(package);
    let digest: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = json!({
        "name": name, "vers": facts["vers"], "deps": dependencies, "cksum": digest.concat(), "features": {}, "yanked": false,
    });
    shelf.lines.insert(name.to_owned(), line.to_string());
    shelf
        .published
        .push(format!("{name} {}", facts["vers"].as_str().unwrap()));
    Ok(())
}

fn part(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_at(4);
    rest.split_at(u32::from_le_bytes(length.try_into().unwrap()) as usize)
}
