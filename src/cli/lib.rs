//! The command line face
