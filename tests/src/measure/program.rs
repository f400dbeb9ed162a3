//! The sections of a program, read from its file.

use std::ops::Range;
use std::path::Path;
use std::{env, fs};

/// A program as Linux has it on 64-bit processors of today: ELF, little-endian.
#[derive(Debug)]
pub struct Program {
    file: Vec<u8>,
    sections: Vec<(String, Range<usize>)>,
}

impl Program {
    /// Reads a program's file.
    ///
    /// # Panics
    ///
    /// If there is no such file, or its format is another one.
    pub fn read(path: &Path) -> Self {
        let file = fs::read(path);
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let sections = sections(&file);
        let sections = sections.unwrap_or_else(|| panic!("{}: not ELF", path.display()));
        Self { file, sections }
    }

    /// Reads the running program.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    pub fn running() -> Self {
        Self::read(&env::current_exe().expect("a program knows where it is"))
    }

    /// Returns the bytes of a section.
    ///
    /// # Panics
    ///
    /// If the program has no section of this name.
    pub fn section(&self, name: &str) -> &[u8] {
        let found = self.sections.iter().find(|(section, _)| section == name);
        let (_, bytes) = found.unwrap_or_else(|| panic!("no section `{name}`"));
        &self.file[bytes.clone()]
    }

    /// Says whether the name of a function or a variable holds `part`; a program that is stripped
    /// has no names.
    ///
    /// # Panics
    ///
    /// If the program is stripped.
    pub fn has_symbol_with(&self, part: &str) -> bool {
        let names = self.section(".strtab");
        names.windows(part.len()).any(|it| it == part.as_bytes())
    }
}

/// Lists the sections by the table that the head of the file names. Returns `None` if that table
/// isn't there as it should be.
fn sections(file: &[u8]) -> Option<Vec<(String, Range<usize>)>> {
    if !file.starts_with(MAGIC) {
        return None;
    }
    let table = number::<8>(file, 0x28)?;
    let size = number::<2>(file, 0x3a)?;
    let count = number::<2>(file, 0x3c)?;
    let names = number::<2>(file, 0x3e)?;
    let header = |index: usize| table + index * size;
    let place = |header: usize| {
        let begin = number::<8>(file, header + 0x18)?;
        let len = number::<8>(file, header + 0x20)?;
        // A section that takes no room in the file may claim any length.
        let takes_room = number::<4>(file, header + 0x04)? != NO_BITS;
        Some(begin..begin + if takes_room { len } else { 0 })
    };
    let names = file.get(place(header(names))?)?;
    let section = |index| {
        let name = names.get(number::<4>(file, header(index))?..)?;
        let name = name.split(|byte| *byte == 0).next()?;
        let place = place(header(index))?;
        file.get(place.clone())?;
        Some((String::from_utf8_lossy(name).into_owned(), place))
    };
    (0..count).map(section).collect()
}

/// Reads a little-endian number of so many bytes.
fn number<const BYTES: usize>(file: &[u8], at: usize) -> Option<usize> {
    let mut number = [0; 8];
    number[..BYTES].copy_from_slice(file.get(at..at + BYTES)?);
    usize::try_from(u64::from_le_bytes(number)).ok()
}

/// ELF, 64 bits, little-endian.
const MAGIC: &[u8] = b"\x7fELF\x02\x01";
const NO_BITS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_code_and_names() {
        let program = Program::running();
        assert!(program.section(".text").len() > 1000);
        assert!(program.has_symbol_with("a_program_has_code_and_names"));
        let absent: String = "_neve_llac_t_si_noitcnuf_a".chars().rev().collect();
        assert!(!program.has_symbol_with(&absent));
    }

    #[test]
    fn a_file_that_is_cut_off_is_no_program() {
        let program = Program::running();
        assert!(sections(&program.file[..program.file.len() / 2]).is_none());
        assert!(sections(b"#!/bin/sh").is_none());
        assert!(sections(MAGIC).is_none());
    }
}
