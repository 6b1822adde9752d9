//! The archive of the program: the same bytes from the same files, whoever packs them and when.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

/// A file of an archive.
#[derive(Debug)]
pub(crate) struct Member {
    /// Where it lies, with `/`.
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
    pub(crate) is_program: bool,
}

/// A `.tar.gz` of these files below the folder `name`, all of one moment and nobody's.
pub(crate) fn pack(name: &str, mut members: Vec<Member>, seconds: u64) -> anyhow::Result<Vec<u8>> {
    members.sort_by(|a, b| a.path.cmp(&b.path));
    // The header of gzip would name the time and the system.
    let gzip = GzBuilder::new().mtime(0).operating_system(255);
    let mut tar = Builder::new(gzip.write(Vec::new(), Compression::best()));
    for member in members {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(member.content.len() as u64);
        header.set_mode(if member.is_program { 0o755 } else { 0o644 });
        header.set_mtime(seconds);
        header.set_uid(0);
        header.set_gid(0);
        let path = format!("{name}/{}", member.path);
        tar.append_data(&mut header, &path, &*member.content)
            .with_context(|| path.clone())?;
    }
    Ok(tar.into_inner()?.finish()?)
}

/// Writes `NAME.tar.gz` and, beside it, its SHA-256 in the form that `sha256sum --check` reads.
pub(crate) fn write(directory: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<[PathBuf; 2]> {
    let file = format!("{name}.tar.gz");
    let archive = directory.join(&file);
    let checksum = directory.join(format!("{file}.sha256"));
    put(&archive, bytes)?;
    put(&checksum, format!("{}  {file}\n", sha256(bytes)).as_bytes())?;
    Ok([archive, checksum])
}

fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let at = || format!("{}", path.display());
    let mut file = fs::File::create(path).with_context(at)?;
    file.write_all(bytes).with_context(at)?;
    file.sync_all().with_context(at)
}

/// The SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let digits: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    fn member(path: &str, content: &str, is_program: bool) -> Member {
        Member {
            path: path.to_owned(),
            content: content.as_bytes().to_vec(),
            is_program,
        }
    }

    #[test]
    fn the_same_files_make_the_same_bytes_in_whatever_order_they_come() {
        let long = format!("docs/{}.md", "long/".repeat(40));
        let files = || {
            vec![
                member("b", "program", true),
                member("a", "text", false),
                member(&long, "", false),
            ]
        };
        let packed = pack("x-1", files(), 17).unwrap();
        let reversed = files().into_iter().rev().collect();
        assert_eq!(packed, pack("x-1", reversed, 17).unwrap());
        assert_ne!(packed, pack("x-1", files(), 18).unwrap());

        let mut read = tar::Archive::new(GzDecoder::new(&*packed));
        let entries = read.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!(
                (
                    header.mtime().unwrap(),
                    header.uid().unwrap(),
                    header.gid().unwrap()
                ),
                (17, 0, 0)
            );
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            (path, header.mode().unwrap(), header.size().unwrap())
        });
        let expected = [
            ("x-1/a".to_owned(), 0o644, 4),
            ("x-1/b".to_owned(), 0o755, 7),
            (format!("x-1/{long}"), 0o644, 0),
        ];
        assert_eq!(entries.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_checksum_is_that_of_the_standard() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b""), empty);
        assert_eq!(sha256(b"abc"), abc);
    }
}
