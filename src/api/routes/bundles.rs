use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kinfolk_engine::Imported;
use kinfolk_engine::input::{Cargo, Command, Mark};
use kinfolk_node::Answer;
use kinfolk_rpc::Done;
use kinfolk_rpc::bundle::{CARRIED, ExportBundle, FILE, ImportedBundle, LINES, MESSAGES};
use kinfolk_wire::carried::{self, BundleWriter, Carried};

use super::{Json, Reply, ask, unexpected};
use crate::Room;
use crate::convert;
use crate::extract::{Bytes, Wish};
use crate::problem::{OrProblem, Refused};

/// A bundle of what is to be carried by hand. Nothing counts as on its way before `exported` says that it is written.
#[utoipa::path(post, path = "/v1/bundles/export", operation_id = "export_bundle", tag = "bundles",
    request_body = ExportBundle,
    responses(
        (status = 200, content((Vec<u8> = "application/octet-stream"), (String = "text/plain")),
            description = "The bundle; as lines of text where `newest` is wished",
            headers(
                ("kinfolk-messages" = u64, description = "How many messages of this person's are in it"),
                ("kinfolk-carried" = u64, description = "How many it carries for others"),
            )),
        OrProblem,
    ))]
pub(crate) async fn export(State(room): State<Room>, Wish(wish): Wish<ExportBundle>) -> Result<Response, Refused> {
    let cargo = cargo(&room, wish).await?;
    let (mut writer, mut messages, mut carried) = (BundleWriter::default(), 0, 0);
    let mut after: Option<Mark> = None;
    'pages: loop {
        let answer = room.node().command(Command::ExportBundle { cargo, after }).await?;
        let Answer::Bundle { records, carried: others, next } = answer else { return Err(unexpected(&answer)) };
        let own = records.len().saturating_sub(others);
        for (number, record) in records.iter().enumerate() {
            // What has no room any more goes with the next bundle.
            if !writer.push(record) {
                break 'pages;
            }
            if number < own {
                messages += 1;
            } else {
                carried += 1;
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    if writer.records() == 0 {
        return Err(convert::bundle::nothing(cargo));
    }
    let file = writer.finish();
    let (kind, body) = if matches!(cargo, Cargo::Newest(_)) {
        let lines = carried::lines(&file).ok_or_else(convert::bundle::too_long_for_lines)?;
        (LINES, (lines.join("\n") + "\n").into_bytes())
    } else {
        (FILE, file)
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (HeaderName::from_static(MESSAGES), HeaderValue::from(messages)),
        (HeaderName::from_static(CARRIED), HeaderValue::from(carried)),
    ];
    Ok((headers, body).into_response())
}

/// A bundle that was exported is written: what is in it is on its way.
#[utoipa::path(post, path = "/v1/bundles/exported", operation_id = "bundle_exported", tag = "bundles",
    request_body = ExportBundle,
    responses(
        (status = 200, body = Done),
        OrProblem,
    ))]
pub(crate) async fn exported(State(room): State<Room>, Wish(wish): Wish<ExportBundle>) -> Reply<Done> {
    let cargo = cargo(&room, wish).await?;
    let mut after: Option<Mark> = None;
    loop {
        match room.node().command(Command::BundleExported { cargo, after }).await? {
            Answer::Exported(None) => return Ok(Json(Done::new())),
            Answer::Exported(next) => after = next,
            other => return Err(unexpected(&other)),
        }
    }
}

async fn cargo(room: &Room, wish: ExportBundle) -> Result<Cargo, Refused> {
    ask(room, move |read| convert::bundle::cargo(read, &wish)).await
}

/// Take what came by hand: a bundle as a file, or its lines of text in any order.
#[utoipa::path(post, path = "/v1/bundles/import", operation_id = "import_bundle", tag = "bundles",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, body = ImportedBundle),
        OrProblem,
    ))]
pub(crate) async fn import(State(room): State<Room>, Bytes(bytes): Bytes) -> Reply<ImportedBundle> {
    // It may be long, and others are served meanwhile.
    let read = tokio::task::spawn_blocking(move || convert::bundle::read(&bytes)).await;
    let bundle = read.map_err(|error| {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "confused", format!("the bundle could not be read: {error}"))
    })??;
    let mut records = bundle.records.into_iter();
    let mut sum = Imported::default();
    loop {
        let page: Vec<Carried> = records.by_ref().take(Command::RECORDS).collect();
        if page.is_empty() {
            break;
        }
        match room.node().command(Command::ImportBundle(page)).await? {
            Answer::Imported(one) => convert::bundle::add(&mut sum, one),
            other => return Err(unexpected(&other)),
        }
    }
    Ok(Json(convert::bundle::imported(&sum, bundle.damaged, &bundle.damage)))
}
