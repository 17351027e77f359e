//! `nolabel serve`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use crate::Lab;

/// Ends the server when dropped, also where a test fails.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.to_lowercase()
}

#[test]
fn the_page_is_served_with_the_types_that_browsers_insist_on() {
    let lab = Lab::new();
    fs::create_dir(lab.path("dist")).expect("a folder");
    for (name, content) in [("index.html", "<p>hello"), ("worker.wasm", "\0asm"), ("page.js", "1"), ("look.css", "p{}")]
    {
        fs::write(lab.path("dist").join(name), content).expect("a file");
    }
    fs::write(lab.path("secret"), "mine").expect("a file");
    let mut server = Server(lab.command("serve --port 0").stdout(Stdio::piped()).spawn().expect("runs"));
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address").to_string();
    assert!(address.starts_with("127.0.0.1:"), "{line}");
    for (path, kind) in [
        ("/", "text/html"),
        ("/worker.wasm", "application/wasm"),
        ("/page.js", "text/javascript"),
        ("/look.css", "text/css"),
    ] {
        let answer = get(&address, path);
        assert!(
            answer.starts_with("http/1.1 200") && answer.contains(&format!("content-type: {kind}")),
            "{path}: {answer}"
        );
        assert!(answer.contains("cache-control: no-cache"), "{answer}");
    }
    assert!(get(&address, "/").ends_with("<p>hello"));
    assert!(get(&address, "/nothing").starts_with("http/1.1 404"));
    assert!(!get(&address, "/../secret").contains("mine") && !get(&address, "/%2e%2e/secret").contains("mine"));
    let port = address.rsplit(':').next().expect("a port");
    lab.fails_with(&format!("serve --port {port}"), 1, &[port, "--port"]);
}

#[test]
fn what_is_no_page_is_not_served() {
    let lab = Lab::new();
    lab.fails_with("serve", 1, &["no folder `dist`", "make dist"]);
    lab.fails_with("serve images", 1, &["no index.html"]);
}
