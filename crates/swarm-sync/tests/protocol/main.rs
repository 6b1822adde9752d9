//! The machines driven by hand, one promise at a time.
