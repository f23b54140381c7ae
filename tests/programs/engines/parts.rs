//! The real programs that the tests need: skopeo, podman, buildah.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use inscan_test_support::{need, need_programs, skipped};

/// Runs a program; it must end well.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    output
}

/// The programs are there, and this is root: nobody else can make storages. In CI it has to be so.
#[track_caller]
pub(crate) fn all_there(programs: &[&str]) -> bool {
    need_programs(programs) && need("root, who alone can make storages", is_root())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// Copies an image into a storage of a driver below a directory; its specifier.
pub(crate) fn storage(directory: &Path, driver: &str, archive: &str, name: &str) -> String {
    let root = directory.join(driver).display().to_string();
    let run_root = directory.join(format!("{driver}-run")).display().to_string();
    let to = format!("containers-storage:[{driver}@{root}+{run_root}]{name}");
    run("skopeo", &["copy", "-q", "--insecure-policy", archive, &to]);
    if driver == "overlay" {
        // The storage leaves its directory mounted on itself, and so it could not be deleted.
        run("umount", &[&format!("{root}/overlay")]);
    }
    format!("[{driver}@{root}]")
}

/// Whether the kernel and the file system permit overlays here.
pub(crate) fn overlay_works(directory: &Path) -> bool {
    let made = |name: &str| {
        let path = directory.join(name);
        std::fs::create_dir_all(&path).unwrap();
        path.display().to_string()
    };
    let options =
        format!("lowerdir={},upperdir={},workdir={}", made("lower"), made("upper"), made("work"));
    let merged = made("merged");
    let mount = ["-t", "overlay", "overlay", "-o", &options, &merged];
    let works = Command::new("mount").args(mount).output().is_ok_and(|it| it.status.success());
    if works {
        run("umount", &[&merged]);
    } else {
        skipped("the driver `overlay`: this kernel permits none here");
    }
    works
}

/// `podman system service`, until it is dropped.
pub(crate) struct Podman {
    child: Child,
    pub(crate) socket: PathBuf,
}

impl Podman {
    /// Serves the vfs storage below a directory, as [`storage`] makes it.
    pub(crate) fn serve(directory: &Path) -> Self {
        let path = |name: &str| directory.join(name).display().to_string();
        let socket = directory.join("podman.sock");
        let child = Command::new("podman")
            .args([
                "--root",
                &path("vfs"),
                "--runroot",
                &path("vfs-run"),
                "--storage-driver",
                "vfs",
            ])
            .args(["system", "service", "--time=0", &format!("unix://{}", socket.display())])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let podman = Podman { child, socket };
        for _ in 0..600 {
            if UnixStream::connect(&podman.socket).is_ok() {
                return podman;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("podman does not listen after a minute");
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A containerd of the test's own, until it is dropped.
pub(crate) struct Containerd {
    child: Child,
    socket: String,
}

impl Containerd {
    pub(crate) fn serve(directory: &Path) -> Self {
        let path = |name: &str| directory.join(name).display().to_string();
        let socket = path("containerd.sock");
        let settings = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\"]\n[grpc]\naddress = {socket:?}\n",
            path("containerd"),
            path("containerd-state"),
        );
        std::fs::write(directory.join("containerd.toml"), settings).unwrap();
        let child = Command::new("containerd")
            .args(["--config", &path("containerd.toml")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let containerd = Containerd { child, socket };
        for _ in 0..600 {
            if UnixStream::connect(&containerd.socket).is_ok() {
                return containerd;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("containerd does not listen after a minute");
    }

    /// Its blobs are kept, and not unpacked.
    pub(crate) fn import(&self, namespace: &str, archive: &str) {
        let arguments =
            ["-a", &self.socket, "-n", namespace, "image", "import", "--no-unpack", archive];
        run("ctr", &arguments);
    }

    pub(crate) fn tag(&self, name: &str, other: &str) {
        run("ctr", &["-a", &self.socket, "image", "tag", name, other]);
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
