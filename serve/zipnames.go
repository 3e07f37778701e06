package serve

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// zipNames chooses the names of files in an archive. When any program extracts the archive, no name
// collides with another, leads outside of the folder, or names a device.
type zipNames struct {
	files   map[string]bool   // names of files, as fold returns them
	folders map[string]string // names of folders in the archive, by the result of fold
}

func newZipNames() *zipNames { return &zipNames{map[string]bool{}, map[string]string{}} }

// nameOf returns a name in the archive for the object with this key, which is safe on every operating system and not
// used by another file.
func (z *zipNames) nameOf(key string) string {
	var segments []string
	for segment := range strings.SplitSeq(key, "/") {
		if segment != "" {
			segments = append(segments, safeSegment(segment))
		}
	}

	hasOnlySlashes := len(segments) == 0
	if hasOnlySlashes {
		segments = []string{"_"}
	}

	// A folder must not have the name of a file either.
	folder := ""
	last := len(segments) - 1
	for _, segment := range segments[:last] {
		folder = z.folder(folder + segment)
	}

	// Add a number until the name is unused.
	name := folder + segments[last]
	for number := 2; z.isTaken(name); number++ {
		name = folder + addNumber(segments[last], number)
	}
	z.files[fold(name)] = true
	return name
}

// folder returns the name of a folder in the archive, with a slash at its end and with a number if a
// file already has the name. Spellings that a file system may confuse share one folder.
func (z *zipNames) folder(name string) string {
	if chosen, ok := z.folders[fold(name)]; ok {
		return chosen
	}

	// Add a number until no file has the name.
	chosen := name
	for number := 2; z.files[fold(chosen)]; number++ {
		chosen = name + " (" + strconv.Itoa(number) + ")"
	}
	folder := chosen + "/"
	z.folders[fold(name)] = folder

	// The chosen name is taken, too: no file gets it, and a folder with that name shares this one.
	z.folders[fold(chosen)] = folder
	return folder
}

// isTaken reports whether a file or a folder has the name.
func (z *zipNames) isTaken(name string) bool {
	_, isFolder := z.folders[fold(name)]
	return isFolder || z.files[fold(name)]
}

// foldedLetters has the letters that full case folding (Unicode, section 3.13) replaces by several
// letters, and that no normalization decomposes.
var foldedLetters = strings.NewReplacer(
	"ß", "ss", "ẞ", "ss", "ŉ", "ʼn", "ẚ", "aʾ",
	"ﬀ", "ff", "ﬁ", "fi", "ﬂ", "fl", "ﬃ", "ffi", "ﬄ", "ffl", "ﬅ", "st", "ﬆ", "st",
	"և", "եւ", "ﬓ", "մն", "ﬔ", "մե", "ﬕ", "մի", "ﬖ", "վն", "ﬗ", "մխ",
)

// fold returns the same text for all names that a file system may confuse. Such names differ only
// in case, or in how an accent is encoded. APFS also folds ß to ss.
func fold(name string) string {
	folded := foldedLetters.Replace(norm.NFD.String(name))
	return norm.NFD.String(strings.ToLower(strings.ToUpper(folded)))
}

// addNumber adds a number before the extension of a name, as in "a (2).jpg".
func addNumber(segment string, n int) string {
	base, ext := cutExtension(segment)
	return base + " (" + strconv.Itoa(n) + ")" + ext
}

// cutExtension returns a name without its extension, and the extension.
func cutExtension(segment string) (base, ext string) {
	if i := strings.LastIndexByte(segment, '.'); i > 0 {
		return segment[:i], segment[i:]
	}
	return segment, ""
}

const maxExtension = 32 // bytes; a longer extension counts as a part of the name

// maxSegment is the largest length of a name in bytes. Linux and macOS permit 255, and addNumber
// adds up to 15.
const maxSegment = 255 - 15

// safeSegment returns a segment of a key as a file name that every operating system accepts.
func safeSegment(segment string) string {
	safe := strings.Map(func(r rune) rune {
		isForbidden := strings.ContainsRune(`\:*?"<>|`, r) // on Windows
		if isForbidden || r == utf8.RuneError || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, segment)

	// Shorten the base, not the extension, unless the latter is too long to be one.
	base, ext := cutExtension(safe)
	if len(ext) > maxExtension {
		base = safe
		ext = ""
	}
	for len(base)+len(ext) > maxSegment {
		_, n := utf8.DecodeLastRuneInString(base)
		base = base[:len(base)-n]
	}

	safe = base + ext
	if trimmed := strings.TrimRight(safe, ". "); len(trimmed) < len(safe) {
		// Windows removes dots and spaces at the end of a name, and "." and ".." are other folders.
		safe = trimmed + "_"
	}

	// Windows reserves some names for devices.
	if isDevice(safe) {
		safe = "_" + safe
	}
	return safe
}

// isDevice reports whether Windows treats a name as a device, such as NUL or NUL.txt.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	base = strings.TrimRight(base, " ") // Windows ignores spaces before the dot

	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}

	// The serial and parallel ports are COM1, LPT1 and so on.
	number, isPort := strings.CutPrefix(base, "COM")
	if !isPort {
		number, isPort = strings.CutPrefix(base, "LPT")
	}
	return isPort && utf8.RuneCountInString(number) == 1 && strings.Contains("0123456789¹²³", number)
}
