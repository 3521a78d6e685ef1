//! kinfolk: façade
