//! sled and redb behind the engine's port, sealed at rest
