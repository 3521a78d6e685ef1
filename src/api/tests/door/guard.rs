//! Who may knock.

use std::os::unix::fs::PermissionsExt;

use kinfolk_api::{Entrance, OpenError};
use kinfolk_rpc::door::Door;
use kinfolk_rpc::route;

use crate::http::{Answer, Knock, exchange};
use crate::world::House;

/// Every route with a method it has, and two that are none.
pub(crate) const ROUTES: [(&str, &str); 63] = [
    ("GET", route::STATUS),
    ("PUT", route::OWN_NAME),
    ("GET", route::EVENTS),
    ("POST", route::INVITES),
    ("GET", route::CONTACTS),
    ("POST", route::CONTACTS),
    ("GET", route::CONTACT),
    ("DELETE", route::CONTACT),
    ("POST", route::ACCEPT),
    ("POST", route::DECLINE),
    ("POST", route::BLOCK),
    ("POST", route::UNBLOCK),
    ("PUT", route::NAME),
    ("GET", route::SAFETY_NUMBER),
    ("PUT", route::VERIFIED),
    ("GET", route::MESSAGES),
    ("POST", route::MESSAGES),
    ("GET", route::MESSAGE),
    ("PUT", route::SEEN),
    ("PUT", route::READ_RECEIPTS),
    ("GET", route::MAILBOXES),
    ("POST", route::MAILBOX_HOSTS),
    ("DELETE", route::MAILBOX_HOST),
    ("GET", route::MAILBOX_SERVING),
    ("PUT", route::MAILBOX_SERVING),
    ("DELETE", route::MAILBOX_SERVING),
    ("POST", route::BUNDLE_EXPORT),
    ("POST", route::BUNDLE_EXPORTED),
    ("POST", route::BUNDLE_IMPORT),
    ("GET", route::CURRENCIES),
    ("POST", route::CURRENCIES),
    ("POST", route::ACCEPT_CURRENCY),
    ("GET", route::CURRENCY),
    ("GET", route::RECOVERY),
    ("POST", route::RECOVERY),
    ("GET", route::BALANCES),
    ("POST", route::MINT),
    ("GET", route::PAYMENTS),
    ("POST", route::PAYMENTS),
    ("GET", route::PAYMENT),
    ("POST", route::REFUND),
    ("GET", route::RECEIPT),
    ("GET", route::INVOICES),
    ("POST", route::INVOICES),
    ("GET", route::INVOICE),
    ("POST", route::PAY_INVOICE),
    ("GET", route::TABS),
    ("POST", route::TABS),
    ("GET", route::TAB),
    ("POST", route::PAY_TAB),
    ("POST", route::REDEEM_TAB),
    ("POST", route::CLOSE_TAB),
    ("GET", route::MERCHANTS),
    ("POST", route::MERCHANTS),
    ("POST", route::CERTIFY_MERCHANT),
    ("GET", route::WITNESS),
    ("POST", route::WITNESS),
    ("GET", route::STICKERS),
    ("GET", route::STICKER),
    ("GET", route::OPENAPI),
    ("GET", "/"),
    ("GET", "/v1/nothing/here"),
    ("PATCH", route::STATUS),
];

fn target(route: &str) -> String {
    route::to(route, &["Bo", "00112233445566778899aabbccddeeff"])
}

fn dressed(answer: &Answer) {
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.headers.get(name).map(String::as_str), Some(value), "{answer:?}");
    }
    let policy = &answer.headers["content-security-policy"];
    assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(answer.headers.keys().all(|name| !name.starts_with("access-control-")), "{answer:?}");
}

#[tokio::test]
async fn f01_a_request_under_another_name_is_answered_421_on_every_route() {
    let house = House::alone("Al").await;
    let port = house.address().rsplit_once(':').unwrap().1.to_owned();
    let authorization = format!("Bearer {}", house.token());
    for (method, route) in ROUTES {
        let knock = || Knock::new(method, &target(route)).with("Authorization", &authorization);
        let misdirected = [
            knock().with("Host", &format!("evil.example:{port}")),
            knock().with("Host", "evil.example"),
            knock().with("Host", "127.0.0.1"),
            knock().with("Host", "127.0.0.1:1"),
            knock().with("Host", &format!("127.0.0.1.evil.example:{port}")),
            knock().with("Host", &format!("evil.node.localhost:{port}")),
            knock().with("Host", house.address()).with("Host", house.address()),
            knock().with("Host", ""),
            knock(),
            Knock { target: format!("http://evil.example:{port}{}", target(route)), ..knock() }
                .with("Host", house.address()),
            Knock { target: format!("http://{}{}", house.address(), target(route)), ..knock() }
                .with("Host", "evil.example"),
            knock().with("Host", "evil.example").with("Upgrade", "websocket").with("Sec-WebSocket-Version", "13"),
        ];
        for knock in misdirected {
            let answer = knock.at(house.address()).await;
            assert_eq!((answer.status, answer.code()), (421, "wrong_host".to_owned()), "{knock:?}");
            dressed(&answer);
        }
    }
    house.close().await;
}

#[tokio::test]
async fn f01_every_name_of_this_machine_is_answered() {
    let house = House::alone("Al").await;
    let port = house.address().rsplit_once(':').unwrap().1.to_owned();
    for name in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "node.localhost"] {
        let knock = Knock::new("GET", "/v1/status")
            .with("Host", &format!("{name}:{port}"))
            .with("Authorization", &format!("Bearer {}", house.token()));
        let answer = knock.at(house.address()).await;
        assert_eq!(answer.status, 200, "{name}");
        dressed(&answer);
    }
    house.close().await;
}

#[tokio::test]
async fn f02_a_request_that_another_site_sends_is_answered_403_on_every_route() {
    let house = House::alone("Al").await;
    for (method, route) in ROUTES {
        let knock = || house.honest(method, &target(route));
        let foreign = [
            knock().with("Origin", "https://evil.example"),
            knock().with("Origin", "null"),
            knock().with("Origin", &format!("https://{}", house.address())),
            knock().with("Origin", "http://127.0.0.1"),
            knock().with("Origin", &format!("http://{}", house.address())).with("Origin", "http://evil.example"),
            knock().with("Sec-Fetch-Site", "cross-site"),
            knock().with("Sec-Fetch-Site", "same-site"),
            knock().with("Sec-Fetch-Site", "same-origin").with("Sec-Fetch-Site", "cross-site"),
            knock()
                .with("Origin", "https://evil.example")
                .with("Connection", "Upgrade")
                .with("Upgrade", "websocket")
                .with("Sec-WebSocket-Version", "13")
                .with("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ];
        for knock in foreign {
            let answer = knock.at(house.address()).await;
            assert_eq!(answer.status, 403, "{knock:?}");
            assert!(answer.code().starts_with("foreign_"));
            dressed(&answer);
        }
    }
    house.close().await;
}

#[tokio::test]
async fn f02_what_a_browser_sends_without_asking_comes_to_nothing() {
    let (house, bo) = House::with_a_contact().await;
    let before = house.get("/v1/status").await.json();
    let block = format!("/v1/contacts/{bo}/block");
    let host = house.address().to_owned();
    // A form, an image, a fetch in mode no-cors, a preflight: none can carry the token, older browsers no Sec-Fetch-Site.
    let mut form = Knock::new("POST", &block).with("Host", &host).with("Content-Type", "text/plain");
    form.body = b"{}".to_vec();
    assert_eq!(form.at(&host).await.status, 401);
    let cross = Knock::new("GET", &block).with("Host", &host).with("Sec-Fetch-Site", "cross-site");
    assert_eq!(cross.at(&host).await.status, 403);
    let preflight = Knock::new("OPTIONS", &block)
        .with("Host", &host)
        .with("Origin", "https://evil.example")
        .with("Access-Control-Request-Method", "POST")
        .with("Access-Control-Request-Headers", "authorization");
    let answer = preflight.at(&host).await;
    assert_eq!(answer.status, 403);
    dressed(&answer);
    // Even with the token, a body that a form can send is not read.
    let mut plain = house.honest("PUT", &format!("/v1/contacts/{bo}/name")).with("Content-Type", "text/plain");
    plain.body = b"{\"name\":\"Mallory\"}".to_vec();
    assert_eq!(plain.at(&host).await.status, 415);
    assert_eq!(house.get("/v1/status").await.json()["seq"], before["seq"]);
    house.close().await;
}

#[tokio::test]
async fn f02_reading_changes_nothing() {
    let (house, _) = House::with_a_contact().await;
    let before = (house.get("/v1/status").await.json(), house.get("/v1/contacts").await.json());
    for (method, route) in ROUTES.into_iter().filter(|(method, route)| *method == "GET" && *route != route::EVENTS) {
        for method in [method, "HEAD"] {
            house.local(method, &target(route)).through(house.socket()).await;
        }
    }
    house.get("/v1/events?since=0&wait=0").await;
    let after = (house.get("/v1/status").await.json(), house.get("/v1/contacts").await.json());
    assert_eq!((&before.0["seq"], before.1), (&after.0["seq"], after.1));
    house.close().await;
}

#[tokio::test]
async fn f03_without_the_token_every_route_answers_401_on_both_entrances() {
    let house = House::alone("Al").await;
    let token = house.token();
    for (method, route) in ROUTES {
        let mut thief: Vec<(String, Vec<(&str, String)>)> = vec![
            (target(route), vec![]),
            (target(route), vec![("Authorization", "Bearer ".into())]),
            (target(route), vec![("Authorization", format!("Bearer {}", "A".repeat(43)))]),
            (target(route), vec![("Authorization", format!("Bearer {}", &token[..42]))]),
            (target(route), vec![("Authorization", format!("Bearer {token}x"))]),
            (target(route), vec![("Authorization", format!("Basic {token}"))]),
            (target(route), vec![("Authorization", token.to_owned())]),
            (target(route), vec![("Cookie", format!("token={token}"))]),
            (format!("{}?token={token}&access_token={token}", target(route)), vec![]),
        ];
        let honest = format!("Bearer {token}");
        thief.push((target(route), vec![("Authorization", honest.clone()), ("Authorization", honest)]));
        for (target, headers) in thief {
            let mut tcp = Knock::new(method, &target).with("Host", house.address());
            let mut unix = Knock::new(method, &target).with("Host", "localhost");
            for (name, value) in headers {
                (tcp, unix) = (tcp.with(name, &value), unix.with(name, &value));
            }
            for answer in [tcp.at(house.address()).await, unix.through(house.socket()).await] {
                assert_eq!((answer.status, answer.code()), (401, "no_token".to_owned()), "{tcp:?}");
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
                dressed(&answer);
            }
        }
    }
    house.close().await;
}

#[tokio::test]
async fn f03_the_files_of_the_door_are_for_their_owner_and_go_with_it() {
    let house = House::alone("Al").await;
    let (file, socket) = (house.profile().join("door.json"), house.profile().join("door.sock"));
    for path in [&file, &socket] {
        let mode = std::fs::symlink_metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    let door: Door = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(&door, house.door.door());
    assert!(!door.url.as_deref().unwrap().contains(&door.token));
    let (profile, token) = (house.profile(), door.token);
    let House { node, door, dir: _dir } = house;
    door.close().await;
    assert!(!file.exists() && !socket.exists());

    let entrance = Entrance::Announced(crate::world::ANY_PORT);
    let again = kinfolk_api::open(node.handle.clone(), &profile, entrance).await.unwrap();
    assert_ne!(again.door().token, token, "each start has a token of its own");
    let stale =
        Knock::new("GET", "/v1/status").with("Host", "localhost").with("Authorization", &format!("Bearer {token}"));
    assert_eq!(stale.through(again.door().socket.as_deref().unwrap()).await.status, 401);
    again.close().await;
    node.handle.stop().await;
}

#[tokio::test]
async fn f03_what_a_killed_node_left_behind_does_not_keep_the_next_from_opening() {
    let house = House::alone("Al").await;
    let (profile, stale) = (house.profile(), house.token().to_owned());
    let House { node, door, dir: _dir } = house;
    door.close().await;
    // As after kill -9: the files are there, nobody listens.
    std::fs::write(profile.join("door.json"), format!("{{\"url\":null,\"token\":\"{stale}\",\"socket\":null}}"))
        .unwrap();
    std::fs::write(profile.join("door.json.new"), "half").unwrap();
    drop(std::os::unix::net::UnixListener::bind(profile.join("door.sock")).unwrap());
    let again = kinfolk_api::open(node.handle.clone(), &profile, Entrance::Announced(crate::world::ANY_PORT));
    let again = again.await.unwrap();
    let door: Door = serde_json::from_slice(&std::fs::read(profile.join("door.json")).unwrap()).unwrap();
    assert_eq!(&door, again.door());
    assert_ne!(door.token, stale);
    again.close().await;
    node.handle.stop().await;
}

#[tokio::test]
async fn f03_the_door_listens_on_the_loopback_interface_only() {
    let house = House::alone("Al").await;
    let port: u16 = house.address().rsplit_once(':').unwrap().1.parse().unwrap();
    let listening: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let mut columns = line.split_whitespace().skip(1);
            let (local, state) = (columns.next()?.to_owned(), columns.nth(1)?.to_owned());
            (state == "0A" && local.ends_with(&format!(":{port:04X}"))).then_some(local)
        })
        .collect();
    assert_eq!(listening, [format!("0100007F:{port:04X}")]);
    for elsewhere in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let entrance = Entrance::Announced(elsewhere.parse().unwrap());
        let opened = kinfolk_api::open(house.node.handle.clone(), &house.profile(), entrance).await;
        assert!(matches!(opened, Err(OpenError::NotLoopback(_))), "{elsewhere}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_private_door_is_told_nowhere() {
    let house = House::alone("Al").await;
    let private = kinfolk_api::open(house.node.handle.clone(), &house.profile(), Entrance::Private).await.unwrap();
    assert_eq!(private.url(), None);
    let announced: Door = serde_json::from_slice(&std::fs::read(house.profile().join("door.json")).unwrap()).unwrap();
    assert_ne!(announced.token, private.door().token);
    let socket = private.door().socket.clone().unwrap();
    let knock = Knock::new("GET", "/v1/status")
        .with("Host", "localhost")
        .with("Authorization", &format!("Bearer {}", private.door().token));
    assert_eq!(knock.through(&socket).await.status, 200);
    private.close().await;
    assert!(!std::path::Path::new(&socket).exists());
    house.close().await;
}

#[tokio::test]
async fn a_profile_too_deep_for_a_socket_has_its_door_on_the_loopback_interface() {
    let house = House::alone("Al").await;
    let deep = house.profile().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    for entrance in [Entrance::Announced(crate::world::ANY_PORT), Entrance::Private] {
        let door = kinfolk_api::open(house.node.handle.clone(), &deep, entrance).await.unwrap();
        assert_eq!(door.door().socket, None);
        let address = door.url().unwrap().strip_prefix("http://").unwrap().to_owned();
        let knock = Knock::new("GET", "/v1/status").with("Host", &address);
        assert_eq!(knock.at(&address).await.status, 401);
        let honest = knock.with("Authorization", &format!("Bearer {}", door.door().token));
        assert_eq!(honest.at(&address).await.status, 200);
        door.close().await;
    }
    house.close().await;
}

#[tokio::test]
async fn a_door_that_cannot_open_leaves_nothing_behind() {
    let house = House::alone("Al").await;
    let other = house.profile().join("other");
    std::fs::create_dir(&other).unwrap();
    let taken = Entrance::Announced(house.address().parse().unwrap());
    assert!(kinfolk_api::open(house.node.handle.clone(), &other, taken).await.is_err());
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
    house.close().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let house = House::alone("Al").await;
    let taken = house.address().parse().unwrap();
    let opened = kinfolk_api::open(house.node.handle.clone(), &house.profile(), Entrance::Announced(taken)).await;
    let message = opened.unwrap_err().to_string();
    assert!(message.contains(house.address()) && message.contains("--api"), "{message}");
    house.close().await;
}

#[tokio::test]
async fn the_guard_holds_on_a_connection_that_is_kept_open() {
    let house = House::alone("Al").await;
    let good = house.honest("GET", "/v1/stickers");
    let mut bytes = String::from_utf8(good.bytes()).unwrap().replace("Connection: close\r\n", "").into_bytes();
    bytes.extend(Knock::new("GET", "/v1/status").with("Host", "evil.example").bytes());
    let stream = tokio::net::TcpStream::connect(house.address()).await.unwrap();
    let answers = exchange(stream, &bytes).await;
    assert_eq!(answers.status, 200);
    let second = answers.body.windows(8).rposition(|window| window == b"HTTP/1.1").unwrap();
    assert_eq!(crate::http::parse(&answers.body[second..]).status, 421);
    house.close().await;
}
