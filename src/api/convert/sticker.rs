use kinfolk_engine::stickers;
use kinfolk_rpc::sticker as rpc;
use kinfolk_wire::content::StickerId;

/// All stickers, pack by pack.
pub(crate) fn list() -> rpc::StickerList {
    let stickers = stickers::packs()
        .iter()
        .flat_map(|pack| {
            pack.stickers.iter().map(|sticker| rpc::Sticker {
                sticker: format!("{}/{}", pack.id, sticker.id),
                pack: pack.title.to_owned(),
                emoji: sticker.emoji.to_owned(),
                description: sticker.description.to_owned(),
            })
        })
        .collect();
    rpc::StickerList { stickers }
}

/// The media type and the bytes of a sticker's picture.
pub(crate) fn picture(pack: &str, sticker: &str) -> Option<(&'static str, &'static [u8])> {
    let found = stickers::find(&StickerId::new(pack, sticker).ok()?)?;
    Some((found.mime, found.image))
}
