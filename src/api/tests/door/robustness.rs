//! f10: whatever is sent, the door answers with the sender's fault or not at all, and goes on.

use kinfolk_rpc::route;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::guard::ROUTES;
use crate::http::{Knock, exchange};
use crate::world::House;

/// A generator of the splitmix64 kind: the same seed, the same test.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.roll(of.len())]
    }
}

const WISHES: [&str; 8] = [
    "{\"text\":\"hi\",\"message\":\"00112233445566778899aabbccddeeff\"}",
    "{\"name\":\"Bo\"}",
    "{\"verified\":true}",
    "{\"allowed\":true}",
    "{\"uses\":\"once\",\"expires_in_ms\":1000,\"admission\":\"ask\"}",
    "{\"link\":\"kinfolk:AAAA\",\"name\":\"x\"}",
    "{\"message\":\"00112233445566778899aabbccddeeff\"}",
    "{\"location\":\"1,2,3\"}",
];

/// A wish with something wrong in it.
fn broken(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.pick(&WISHES).as_bytes().to_vec();
    let values = ["null", "-1", "1e400", "18446744073709551616", "[]", "{}", "true", "\"\"", "\"\\ud800\"", "0.5"];
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(bytes.len().max(1));
        match dice.roll(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), u8::try_from(dice.roll(256)).unwrap()),
            2 if !bytes.is_empty() => bytes[at] = u8::try_from(dice.roll(256)).unwrap(),
            3 => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((key, _)) = text.split_once(':') {
                    bytes = format!("{key}:{}}}", dice.pick(&values)).into_bytes();
                }
            }
            4 => bytes = bytes.repeat(2),
            _ => bytes.extend(b"\0"),
        }
    }
    bytes
}

#[tokio::test]
async fn f10_no_request_however_broken_is_answered_with_a_fault_of_ours() {
    let (house, _) = House::with_a_contact().await;
    let seed = std::env::var("KINFOLK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut dice = Dice(seed);
    let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"];
    let segments = ["Bo", "nobody", "%00", "%ff%fe", "%E2%80%AE", "..%2f..", "'\"<img>", "%F0%9F%98%80", "a%20b"];
    let queries =
        ["", "?last=1", "?last=-1", "?before=%00", "?since=x", "?wait=0", "?since=0&wait=0", "?&&==&", "?limit=1e9"];
    let types = ["application/json", "application/json; charset=utf-8", "text/plain", "multipart/form-data", "\u{7f}"];
    for _ in 0..3_000 {
        let (usual, route) = ROUTES[dice.roll(ROUTES.len())];
        let method = if dice.roll(3) > 0 { usual } else { dice.pick(&methods) };
        let path =
            route::to(route, &[]).replace("{contact}", dice.pick(&segments)).replace("{chat}", dice.pick(&segments));
        let path = path.replace("{message}", dice.pick(&segments)).replace("{pack}", dice.pick(&segments));
        let path = path.replace("{sticker}", dice.pick(&segments));
        let mut query = dice.pick(&queries).to_owned();
        if route == route::EVENTS && !query.contains("wait") {
            query = "?wait=0".to_owned();
        }
        let mut knock = house.local(method, &format!("{path}{query}")).with("Content-Type", dice.pick(&types));
        knock.body = broken(&mut dice);
        let answer = knock.through(house.socket()).await;
        assert!(answer.status < 500, "seed {seed}: {knock:?} gave {answer:?}");
        if answer.status >= 400 && method != "HEAD" && answer.headers.contains_key("content-type") {
            answer.code();
        }
    }
    assert_eq!(house.get("/v1/status").await.status, 200);
    house.close().await;
}

#[tokio::test]
async fn f10_bodies_are_bounded() {
    let house = House::alone("Al").await;
    let ask =
        |body: Vec<u8>| Knock { body, ..house.local("POST", "/v1/invites").with("Content-Type", "application/json") };
    let huge = ask(vec![b' '; 300 * 1024]).through(house.socket()).await;
    assert_eq!((huge.status, huge.code()), (413, "too_large".to_owned()));
    // A length of 4 GiB that is only claimed, and a body without an end in small pieces.
    let claimed = ask(b"{}".to_vec()).with("Content-Length", "4294967296").through(house.socket()).await;
    assert_eq!(claimed.status, 413);
    let endless = ask(format!("{:x}\r\n{}\r\n", 1_024, " ".repeat(1_024)).repeat(400).into_bytes());
    let endless = endless.with("Transfer-Encoding", "chunked").through(house.socket()).await;
    assert_eq!(endless.status, 413);
    let deep =
        ask(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes()).through(house.socket()).await;
    assert_eq!((deep.status, deep.code()), (400, "invalid_json".to_owned()));
    let cut = ask(b"{\"uses\":".to_vec()).through(house.socket()).await;
    assert_eq!((cut.status, cut.code()), (400, "invalid_json".to_owned()));
    assert_eq!(house.get("/v1/status").await.status, 200);
    house.close().await;
}

#[tokio::test]
async fn f10_heads_are_bounded_and_what_is_no_http_is_hung_up_on() {
    let house = House::alone("Al").await;
    let long = house.honest("GET", "/v1/status").with("X-Long", &"a".repeat(100_000)).at(house.address()).await;
    assert_eq!(long.status, 431);
    let target = house.honest("GET", &format!("/v1/contacts/{}", "a".repeat(100_000))).at(house.address()).await;
    assert!([414, 431].contains(&target.status), "{target:?}");
    for noise in
        [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"\r\n\r\n\r\n\0\0\0\r\n\r\n", b"GET /v1/status HTTP/9.9\r\n\r\n"]
    {
        let stream = TcpStream::connect(house.address()).await.unwrap();
        let answer = exchange(stream, noise).await;
        assert_eq!(answer.status, 400, "{noise:?}");
    }
    assert_eq!(house.get("/v1/status").await.status, 200);
    house.close().await;
}

#[tokio::test]
async fn f10_a_wrong_method_is_named_and_the_right_ones_are_told() {
    let house = House::alone("Al").await;
    for (method, route) in ROUTES.into_iter().filter(|(_, route)| *route != "/" && *route != "/v1/nothing/here") {
        let answer = house.ask("BREW", &route::to(route, &["a", "b"]), "{}").await;
        assert_eq!((answer.status, answer.code()), (405, "no_such_method".to_owned()), "{route}");
        if method != "PATCH" {
            assert!(answer.headers["allow"].contains(method), "{route}: {answer:?}");
        }
    }
    let nowhere = house.get("/v1/nothing/here").await;
    assert_eq!((nowhere.status, nowhere.code()), (404, "no_such_route".to_owned()));
    house.close().await;
}

#[tokio::test]
async fn f10_connections_that_say_nothing_do_not_keep_the_door_from_closing() {
    let house = House::alone("Al").await;
    let mut silent = vec![];
    for _ in 0..100 {
        let mut stream = TcpStream::connect(house.address()).await.unwrap();
        stream.write_all(b"GET /v1/sta").await.unwrap();
        silent.push(stream);
    }
    assert_eq!(house.honest("GET", "/v1/status").at(house.address()).await.status, 200);
    house.close().await;
    for mut stream in silent {
        let mut rest = vec![];
        // Closed with or without a word, but closed.
        drop(stream.read_to_end(&mut rest).await);
    }
}
