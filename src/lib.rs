//! inscan: an inline scanner for container images.
