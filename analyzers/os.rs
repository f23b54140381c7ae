//! What the operating system says of itself: its distribution, and the packages
//! that package managers of systems installed. One file (and folder) an analyzer.

mod add_on;
pub(crate) mod apk;
pub(crate) mod bottlerocket;
pub mod distribution;
pub(crate) mod dpkg;
pub(crate) mod flatpak;
pub(crate) mod homebrew;
pub(crate) mod linux_kernel;
pub(crate) mod nix;
pub(crate) mod opkg;
pub(crate) mod pacman;
pub(crate) mod portage;
pub mod rpm;
pub(crate) mod snap;
mod systems;
