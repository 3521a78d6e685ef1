//! Stickers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A sticker that can be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sticker {
    /// Its id as `PACK/ID`.
    pub sticker: String,
    /// The title of its pack.
    pub pack: String,
    /// The emoji that comes nearest.
    pub emoji: String,
    /// What it shows, in words.
    pub description: String,
}

/// All stickers, pack by pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StickerList {
    /// The stickers.
    pub stickers: Vec<Sticker>,
}
