use std::os::unix::fs::{PermissionsExt, symlink};

use nix::unistd::mkdtemp;

use super::*;

/// `a/b/program`, all of it ours, in a directory that is gone with the test.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Tree {
        let tree = Tree(mkdtemp(&std::env::temp_dir().canonicalize().unwrap().join("kea-trust-XXXXXX")).unwrap());
        tree.mode("", 0o755);
        for directory in ["a", "a/b", "other"] {
            fs::create_dir(tree.0.join(directory)).unwrap();
            tree.mode(directory, 0o755);
        }
        fs::write(tree.0.join("a/b/program"), "").unwrap();
        tree.mode("a/b/program", 0o755);
        tree
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.0.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn link(&self, target: &str, name: &str) {
        let target = if let Some(inside) = target.strip_prefix('/') { self.0.join(inside) } else { target.into() };
        symlink(target, self.0.join(name)).unwrap();
    }

    fn owner(&self, name: &str, owner: u32) {
        std::os::unix::fs::lchown(self.0.join(name), Some(owner), Some(owner)).unwrap();
    }

    /// What is said of a program, its directory left out.
    fn look(&self, name: &str) -> Result<Vec<String>, String> {
        let short = |text: String| text.replace(&format!("{}/", self.0.display()), "");
        let found = program(&self.0.join(name), false);
        let strictly = program(&self.0.join(name), true);
        match &found {
            Ok(warnings) => assert_eq!(strictly.err().as_ref(), warnings.first()),
            refused => assert!(strictly.is_err(), "{refused:?}"),
        }
        found.map(|warnings| warnings.into_iter().map(short).collect()).map_err(short)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a look at a tree has to begin with.
#[derive(Debug)]
enum Expected {
    Trusted,
    Warned(&'static str),
    Refused(&'static str),
}
use Expected::*;

type Case = (&'static str, fn(&Tree), &'static str, Expected);

#[track_caller]
fn check(cases: &[Case]) {
    for (what, make, name, expected) in cases {
        let tree = Tree::new();
        make(&tree);
        let found = tree.look(name);
        let is_so = match (expected, &found) {
            (Trusted, Ok(warnings)) => warnings.is_empty(),
            (Warned(start), Ok(warnings)) => warnings.len() == 1 && warnings[0].starts_with(start),
            (Refused(start), Err(reason)) => reason.starts_with(start),
            _ => false,
        };
        assert!(is_so, "{what}: {expected:?}, {found:?}");
    }
}

const PROGRAM: &str = "a/b/program";
const A_GROUP: &str = "is below a, which may be written by a group (mode 775, group ";
const ALL: &str =
    "is below a, which may be written by everybody (mode 777): anybody could put another in its place; chmod o-w ";

#[test]
fn who_may_write() {
    check(&[
        ("as it should be", |_| (), PROGRAM, Trusted),
        (
            "a group, the program",
            |t| t.mode(PROGRAM, 0o775),
            PROGRAM,
            Refused("may be written by others than its owner (mode 775)"),
        ),
        ("all, the program", |t| t.mode(PROGRAM, 0o757), PROGRAM, Refused("may be written by others")),
        (
            "a group, its directory",
            |t| t.mode("a/b", 0o775),
            PROGRAM,
            Warned("is below a/b, which may be written by a group"),
        ),
        ("a group, one above", |t| t.mode("a", 0o775), PROGRAM, Warned(A_GROUP)),
        (
            "all, its directory",
            |t| t.mode("a/b", 0o777),
            PROGRAM,
            Refused("is below a/b, which may be written by everybody"),
        ),
        ("all, one above", |t| t.mode("a", 0o777), PROGRAM, Refused(ALL)),
        (
            "all but the group",
            |t| t.mode("a", 0o757),
            PROGRAM,
            Refused("is below a, which may be written by everybody (mode 757)"),
        ),
        ("all, sticky", |t| t.mode("a", 0o1777), PROGRAM, Trusted),
        ("a group, sticky", |t| t.mode("a", 0o1775), PROGRAM, Trusted),
        ("all, beside it", |t| t.mode("other", 0o777), PROGRAM, Trusted),
        ("all, passed by", |t| t.mode("other", 0o777), "other/../a/b/program", Refused("is below other, which")),
        (
            "a refusal behind a warning",
            |t| {
                t.mode("a", 0o775);
                t.mode("a/b", 0o777)
            },
            PROGRAM,
            Refused("is below a/b, which"),
        ),
        ("missing, below", |t| t.mode("a", 0o777), "a/missing", Refused(ALL)),
        ("missing", |_| (), "a/missing/program", Trusted),
    ]);
}

#[test]
fn links_on_the_way() {
    check(&[
        ("to a directory", |t| t.link("/a/b", "link"), "link/program", Trusted),
        ("to a program", |t| t.link("../a/b/program", "other/link"), "other/link", Trusted),
        (
            "below its own directory",
            |t| {
                t.link("/a/b", "other/link");
                t.mode("other", 0o777)
            },
            "other/link/program",
            Refused("is below other, which"),
        ),
        (
            "to what is below",
            |t| {
                t.link("/a/b", "other/link");
                t.mode("a", 0o777)
            },
            "other/link/program",
            Refused(ALL),
        ),
        (
            "relative, to what is below",
            |t| {
                t.link("../a/b", "other/link");
                t.mode("a", 0o777)
            },
            "other/link/program",
            Refused(ALL),
        ),
        (
            "over another link",
            |t| {
                t.link("/a", "other/second");
                t.link("other/second/b", "first");
                t.mode("other", 0o777)
            },
            "first/program",
            Refused("is below other, which"),
        ),
        (
            "to a program that a group may write",
            |t| {
                t.link("/a/b/program", "link");
                t.mode(PROGRAM, 0o775)
            },
            "link",
            Refused("may be written by others"),
        ),
        (
            "a loop",
            |t| {
                t.link("two", "one");
                t.link("one", "two")
            },
            "one",
            Trusted,
        ),
    ]);
}

#[test]
fn whose_it_is() {
    if !Uid::effective().is_root() {
        return;
    }
    let tail = "belongs to user 4321, neither root nor Kea's user, who could put another in its place; chown root ";
    let expected = [("", PROGRAM), ("is below a/b, which ", "a/b"), ("is below a, which ", "a")];
    for (start, name) in expected {
        let tree = Tree::new();
        tree.owner(name, 4321);
        let [warning] = <[String; 1]>::try_from(tree.look(PROGRAM).unwrap()).unwrap();
        assert!(warning.starts_with(&format!("{start}{tail}")), "{warning}");
    }
    check(&[
        (
            "the link",
            |t| {
                t.link("/a/b", "link");
                t.owner("link", 4321)
            },
            "link/program",
            Warned("is reached by the link link, which belongs to user 4321"),
        ),
        (
            "a sticky directory",
            |t| {
                t.mode("a", 0o1777);
                t.owner("a", 4321)
            },
            PROGRAM,
            Warned("is below a, which belongs"),
        ),
    ]);
}

#[test]
fn directories_and_sockets() {
    let tree = Tree::new();
    let at = |name| tree.0.join(name);
    assert_eq!((directory(&at("a/b"), true), socket(&at("a/b/socket"), 4321, true)), (Ok(vec![]), Ok(vec![])));
    tree.mode("a/b", 0o777);
    assert!(directory(&at("a/b"), false).unwrap_err().starts_with("may be written by everybody (mode 777): anybody"));
    assert!(socket(&at("a/b/program"), 0, false).unwrap_err().contains("/a/b, which may be written by everybody"));
    tree.mode("a/b", 0o755);
    tree.mode(PROGRAM, 0o777);
    assert_eq!(socket(&at(PROGRAM), 0, true), Ok(vec![]), "who may write the socket may connect, no more");
    if Uid::effective().is_root() {
        tree.owner("a", 4321);
        assert_eq!(socket(&at(PROGRAM), 4321, true), Ok(vec![]), "the listener may own directories");
        assert!(socket(&at(PROGRAM), 1234, true).unwrap_err().contains("belongs to user 4321"));
    }
}
