//! A proxy between a client and a server: a cable that a test can hold, cut or plug.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Forwards connections on the loopback interface to a server.
///
/// Held answers stay in the cable until they are let through. A black hole swallows the bytes of
/// both directions and closes no connection, as a cut cable does.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    cable: Arc<Cable>,
}

#[derive(Debug, Default)]
struct Cable {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    port: u16,
    hold_answers: bool,
    black_hole: bool,
    refuse: bool,
    open: Vec<TcpStream>,
    connections: usize,
    /// The number of connections, from the first one on, that are forgotten.
    forgotten: usize,
    held: usize,
    /// Whether the answer `MOVED` becomes that of a key which isn't there.
    lose_moved: bool,
    /// The rate at which answers pass on each connection, in bytes a second, if there is a limit.
    rate: Option<u32>,
}

impl Proxy {
    /// Begins to forward to a port of the loopback interface.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let cable = Arc::new(Cable::default());
        cable.state.lock().unwrap().port = port;
        let accepted = cable.clone();
        // This thread ends with the process: accepting can't be interrupted.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = connect(client, &accepted);
            }
        });
        Self { address, cable }
    }

    /// Returns the URL of the near end, where clients connect.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Returns the port of the near end, where clients connect.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the number of connections that were made.
    pub fn connections(&self) -> usize {
        self.cable.state.lock().unwrap().connections
    }

    /// Keeps the server's answers back until [`release`](Self::release).
    pub fn hold_answers(&self) {
        self.change(|state| state.hold_answers = true);
    }

    /// Says whether any answer is kept back now.
    pub fn holds_answers(&self) -> bool {
        self.cable.state.lock().unwrap().held > 0
    }

    /// Swallows everything in both directions until [`release`](Self::release); connections stay
    /// open.
    pub fn black_hole(&self) {
        self.change(|state| state.black_hole = true);
    }

    /// Closes new connections at once until [`release`](Self::release).
    pub fn refuse(&self) {
        self.change(|state| state.refuse = true);
    }

    /// Lets all present connections go dead without closing them, as a load balancer does when it
    /// forgets them. New connections work.
    pub fn forget(&self) {
        self.change(|state| state.forgotten = state.connections);
    }

    /// Limits the answers on each connection to so many bytes a second.
    pub fn slow_down(&self, rate: u32) {
        self.change(|state| state.rate = Some(rate));
    }

    /// Turns the answer `MOVED` into that of a key which isn't there.
    pub fn lose_moved(&self) {
        self.change(|state| state.lose_moved = true);
    }

    /// Forwards new connections to another port.
    pub fn lead_to(&self, port: u16) {
        self.change(|state| state.port = port);
    }

    /// Lets everything through again, held answers first.
    pub fn release(&self) {
        self.change(State::release);
    }

    /// Closes all connections.
    pub fn cut(&self) {
        self.change(State::cut);
    }

    /// Closes all connections, and lets those that follow through: in one step, so that nothing of
    /// theirs is swallowed.
    pub fn cut_and_release(&self) {
        self.change(|state| {
            state.cut();
            state.release();
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.cable.state.lock().unwrap());
        self.cable.changed.notify_all();
    }
}

impl State {
    fn release(&mut self) {
        self.hold_answers = false;
        self.black_hole = false;
        self.refuse = false;
    }

    fn cut(&mut self) {
        for stream in self.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn connect(client: TcpStream, cable: &Arc<Cable>) -> std::io::Result<()> {
    let (number, port) = {
        let mut state = cable.state.lock().unwrap();
        state.connections += 1;
        if state.refuse {
            return client.shutdown(Shutdown::Both);
        }
        (state.connections, state.port)
    };
    let server = TcpStream::connect(("127.0.0.1", port))?;
    {
        let mut state = cable.state.lock().unwrap();
        state.open.push(client.try_clone()?);
        state.open.push(server.try_clone()?);
    }
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let (there, back) = (cable.clone(), cable.clone());
    thread::spawn(move || forward(from_client, to_server, &there, number, false));
    thread::spawn(move || forward(server, client, &back, number, true));
    Ok(())
}

fn forward(
    mut from: TcpStream,
    mut to: TcpStream,
    cable: &Cable,
    number: usize,
    are_answers: bool,
) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let mut state = cable.state.lock().unwrap();
        if state.black_hole || number <= state.forgotten {
            continue;
        }
        while are_answers && state.hold_answers {
            state.held += 1;
            state = cable.changed.wait(state).unwrap();
            state.held -= 1;
        }
        let rate = state.rate.filter(|_| are_answers);
        let lose_moved = state.lose_moved && are_answers;
        drop(state);
        if let Some(rate) = rate {
            thread::sleep(Duration::from_secs(1) * length as u32 / rate);
        }
        let bytes = &buffer[..length];
        let passed = match lose_moved {
            true => to.write_all(&without_moved(bytes)),
            false => to.write_all(bytes),
        };
        if passed.is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// Puts the answer "nothing is there" in place of each whole `MOVED`.
fn without_moved(answers: &[u8]) -> Vec<u8> {
    let lines = answers.split_inclusive(|byte| *byte == b'\n');
    let lines = lines.map(
        |line| match line.starts_with(b"-MOVED ") && line.ends_with(b"\n") {
            true => b"$-1\r\n",
            false => line,
        },
    );
    lines.collect::<Vec<_>>().concat()
}
