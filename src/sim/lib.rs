//! Virtual time, a lossy network, many engines, a reference model
