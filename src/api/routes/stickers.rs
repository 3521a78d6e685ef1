use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kinfolk_rpc::sticker::StickerList;

use super::Json;
use crate::convert;
use crate::extract::Segments;
use crate::problem::{OrProblem, Refused};

/// The stickers that can be sent.
#[utoipa::path(get, path = "/v1/stickers", operation_id = "stickers", tag = "stickers", responses(
    (status = 200, body = StickerList),
    OrProblem,
))]
pub(crate) async fn list() -> Json<StickerList> {
    Json(convert::sticker::list())
}

/// The picture of a sticker.
#[utoipa::path(get, path = "/v1/stickers/{pack}/{sticker}", operation_id = "sticker_picture", tag = "stickers",
    params(
        ("pack" = String, Path, description = "The first part of its id"),
        ("sticker" = String, Path, description = "The second part of its id"),
    ),
    responses(
        (status = 200, content_type = "image/png", description = "The picture"),
        OrProblem,
    ))]
pub(crate) async fn picture(Segments((pack, sticker)): Segments<(String, String)>) -> Result<Response, Refused> {
    let (mime, image) = convert::sticker::picture(&pack, &sticker).ok_or_else(|| {
        Refused::new(
            StatusCode::NOT_FOUND,
            "unknown_sticker",
            "there is no such sticker; `kinfolk stickers` lists them",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, mime)], image).into_response())
}
