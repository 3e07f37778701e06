package bucketdir

import (
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A key consists of segments that "/" separates. If the file system can hold a segment, the segment
// has the same name on the disk: its plain name. All names that begin with ".omnibucket" are
// reserved. A segment that begins with ".omnibucket" is escaped, so that its name differs from all
// reserved names:
//
//	.omnibucket         only at the root: the reserved directory
//	.omnibucket%NAME    a segment that cannot have its plain name
//	.omnibucket=NAME    an object whose plain name is that of a directory (alternate name)
//	.omnibucket+CHUNK/  the beginning of a NAME that is too long for one name
//	.omnibucket@/       in the tree of versions: the noncurrent versions of one object
//	.omnibucket~NAME    the attributes of an object, with Config.Sidecars
//
// NAME is the encoded segment; see encode. The mark is the character after ".omnibucket". Only
// files can have alternate names, never directories. So each parent directory of a key has exactly
// one name, which is known without reading the disk.
const (
	Reserved = ".omnibucket"

	MarkEscaped   = '%'
	MarkAlternate = '='
	MarkChunk     = '+'
	markVersions  = '@'
	MarkVisible   = '~'

	MaxName = 255 // bytes, as on ext4, XFS, APFS and NTFS (UTF-16 units)
	// maxChunk leaves room for the mark (the character after Reserved) and for 15 bytes of margin.
	maxChunk = MaxName - len(Reserved) - 1 - 15
	MaxKey   = 1024
)

// VersionsName is the name of the directory for the noncurrent versions of a key. A noncurrent
// version is a hard link to a file that was current. Its path is
// .omnibucket/versions/KEY/.omnibucket@/VERSION. VERSION consists of the file's time and inode. It
// does not change when the version becomes noncurrent. The names sort by age, because each write
// has a later time than the write before.
const VersionsName = Reserved + string(markVersions)

// Names maps keys to names on the disk. Strict is true for a disk that folds case or refuses
// characters (Windows, macOS by default, FAT). On such a disk, a segment has its plain name only if
// it is lower-case ASCII. The rule does not depend on existing files. So the name of a directory is
// known without reading the disk.
type Names struct{ Strict bool }

// A Location has the names that the object of a key may have. The object has its plain name or, if
// a directory has that name, its alternate name. In strict mode, another program may have stored
// the object at Literal, which is the key as a path. Otherwise Literal is "".
type Location struct {
	// Dir and Base are the directory and the last element of the object's usual path.
	Dir, Base       string
	AltDir, AltBase string
	Literal         string
}

// Locate returns the location of a key, or false if the key cannot be the path of a file because it
// contains a NUL byte or a segment that is empty, "." or "..".
func (n Names) Locate(key string) (Location, bool) {
	dir := ""
	last := key
	if slash := strings.LastIndexByte(key, '/'); slash >= 0 {
		var ok bool
		dir, ok = n.DirPath(key[:slash])
		if !ok {
			return Location{}, false
		}
		last = key[slash+1:]
	}
	if !validSegment(last) {
		return Location{}, false
	}

	var loc Location
	// The usual name is the segment itself if possible, and otherwise escaped. The escaped name of a long
	// segment has several components, of which Split finds the last one.
	if n.isPlain(last) {
		loc.Dir = dir
		loc.Base = last
	} else {
		loc.Dir, loc.Base = osdir.Split(osdir.Join(dir, Escaped(n.encode(last), MarkEscaped)))
	}
	// The object has the alternate name if a directory has the usual one.
	loc.AltDir, loc.AltBase = osdir.Split(osdir.Join(dir, Escaped(n.encode(last), MarkAlternate)))

	// In strict mode, another program may have stored the object under the key itself, unless that
	// would be a reserved name.
	isKeyEscaped := n.Strict && osdir.Join(loc.Dir, loc.Base) != key
	if isKeyEscaped && !HasReserved(key) {
		loc.Literal = key
	}
	return loc, true
}

// DirPath returns the path of the directory that contains the keys under key + "/", or false if no
// directory can contain such keys.
func (n Names) DirPath(key string) (string, bool) {
	arePlain := true
	for segment := range strings.SplitSeq(key, "/") {
		if !validSegment(segment) {
			return "", false
		}
		if !n.isPlain(segment) {
			arePlain = false
		}
	}
	if arePlain {
		return key, true
	}

	path := ""
	for segment := range strings.SplitSeq(key, "/") {
		path = osdir.Join(path, n.segment(segment))
	}
	return path, true
}

// segment returns the path on disk of one segment of a directory's key, which has several components
// if the segment is long.
func (n Names) segment(segment string) string {
	if n.isPlain(segment) {
		return segment
	}
	return Escaped(n.encode(segment), MarkEscaped)
}

// validSegment reports whether segment can be an element of a path.
func validSegment(segment string) bool {
	return segment != "" && segment != "." && segment != ".." && strings.IndexByte(segment, 0) < 0
}

// isPlain reports whether the name of segment on disk is the segment itself.
func (n Names) isPlain(segment string) bool {
	if segment == "" || len(segment) > MaxName || isReserved(segment) {
		return false
	}
	return !n.Strict || strictName(segment)
}

// isReserved reports whether a name is reserved. It ignores case, because a plain name must not
// equal a reserved name on a disk that folds case.
func isReserved(name string) bool {
	return len(name) >= len(Reserved) && strings.EqualFold(name[:len(Reserved)], Reserved)
}

// HasReserved reports whether any segment of key begins with the reserved name.
func HasReserved(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if isReserved(segment) {
			return true
		}
	}
	return false
}

// strictName reports whether name, which is not empty, is ASCII without capital letters, and Windows
// accepts it.
func strictName(name string) bool {
	for i := range len(name) {
		if !strictByte(name[i]) {
			return false
		}
	}
	last := name[len(name)-1]
	if last == '.' || last == ' ' {
		return false
	}
	return !isDevice(name)
}

// strictByte reports whether c is an ASCII character, but no capital letter, that Windows accepts in a
// name.
func strictByte(c byte) bool {
	const del = 0x7F // a control character, the last one of ASCII
	if c < ' ' || c >= del {
		return false
	}
	if c >= 'A' && c <= 'Z' {
		return false
	}
	return strings.IndexByte(`<>:"|?*\/`, c) < 0
}

// isDevice reports whether Windows takes name, which is in lower case, for a device such as CON, with
// or without an extension.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.TrimRight(stem, " ")
	switch stem {
	case "con", "prn", "aux", "nul", "conin$", "conout$":
		return true
	}

	// The serial and parallel ports have the names com0 to com9 and lpt0 to lpt9.
	number, ok := strings.CutPrefix(stem, "com")
	if !ok {
		number, ok = strings.CutPrefix(stem, "lpt")
	}
	return ok && len(number) == 1 && number[0] >= '0' && number[0] <= '9'
}

const hexDigits = "0123456789abcdef"

// encode returns the NAME of a segment (see Reserved). A byte that the disk may refuse, "%" and "^"
// become "%" and two hex digits. In strict mode, a capital letter becomes "^" and the small letter.
func (n Names) encode(segment string) string {
	b := make([]byte, 0, len(segment)+16) // enough for most segments
	for i := range len(segment) {
		c := segment[i]
		switch {
		case n.Strict && c >= 'A' && c <= 'Z':
			b = append(b, '^', c+('a'-'A'))
		case n.keepsByte(segment, i):
			b = append(b, c)
		default:
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

// keepsByte reports whether encode keeps byte i of segment, or replaces it. In strict mode, the byte
// must not be a capital letter, which encode treats before.
func (n Names) keepsByte(segment string, i int) bool {
	const del = 0x7F
	c := segment[i]
	if c == '%' || c == '^' || c < ' ' || c == del {
		return false
	}
	if !n.Strict {
		return true
	}

	// Windows refuses a dot or a space at the end of a name. A dot is at the end of one if it is the
	// last byte, or if a long name is split after it.
	isLast := i == len(segment)-1
	const maxEncoded = 3 // encode replaces a byte by at most three
	mayBeSplit := len(segment)*maxEncoded > maxChunk
	if c == '.' && (isLast || mayBeSplit) {
		return false
	}
	return c != ' ' && strictByte(c)
}

// decode is the inverse of encode. It returns false if encode cannot return name.
func (n Names) decode(name string) (string, bool) {
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '^':
			// A capital letter is written as "^" and the small letter.
			i++
			if i >= len(name) || name[i] < 'a' || name[i] > 'z' {
				return "", false
			}
			b = append(b, name[i]-('a'-'A'))
		case '%':
			// Another escaped byte is written as "%" and two hexadecimal digits.
			if i+2 >= len(name) {
				return "", false
			}
			high := strings.IndexByte(hexDigits, name[i+1])
			low := strings.IndexByte(hexDigits, name[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			b = append(b, byte(high<<4|low))
			i += 2
		default:
			b = append(b, name[i])
		}
	}

	segment := string(b)
	if !validSegment(segment) || strings.IndexByte(segment, '/') >= 0 {
		return "", false
	}
	// Another program may have encoded bytes that encode keeps.
	if n.encode(segment) != name {
		return "", false
	}
	return segment, true
}

// Escaped returns the path on disk of name, an encoded segment. Its last component is .omnibucket, the
// mark and the end of name. For a long name, further components before it have the form
// .omnibucket+CHUNK.
func Escaped(name string, mark byte) string {
	var b strings.Builder
	b.Grow(len(name) + 2*len(Reserved) + 2)
	for len(name) > maxChunk {
		b.WriteString(Reserved)
		b.WriteByte(MarkChunk)
		b.WriteString(name[:maxChunk])
		b.WriteByte('/')
		name = name[maxChunk:]
	}
	b.WriteString(Reserved)
	b.WriteByte(mark)
	b.WriteString(name)
	return b.String()
}

// A ParsedName is the result of parsing a name in a directory.
type ParsedName struct {
	Segment string
	Mark    byte // the character after ".omnibucket"; 0 for a plain name
	Literal bool // true if another program chose the name, in strict mode
}

// Parse parses the name of a file or directory. It returns false if the name is not part of a key.
//
// A long segment of a key is split into chunks, each of which is a directory that contains the next
// one. chunks is the text of the chunks around the parsed name, if it is inside of such a directory,
// and otherwise "". For a chunk, the result's Segment is the text so far, including the chunk.
func (n Names) Parse(chunks, name string) (ParsedName, bool) {
	if !isReserved(name) {
		// The rest of a split segment always has a reserved name.
		isInChunk := chunks != ""
		if name == "" || isInChunk || !utf8.ValidString(name) {
			return ParsedName{}, false
		}
		return ParsedName{Segment: name, Literal: n.Strict && !n.isPlain(name)}, true
	}

	// A reserved name consists of the prefix Reserved, a mark, and text of at least one byte. isReserved
	// ignores case, but this package writes the prefix in lower case.
	const markAt = len(Reserved)
	if len(name) <= markAt+1 || !strings.HasPrefix(name, Reserved) {
		return ParsedName{}, false
	}
	mark := name[markAt]
	text := name[markAt+1:]
	switch mark {
	case MarkChunk:
		return parseChunk(chunks, text)
	case MarkEscaped, MarkAlternate:
		return n.parseEncoded(chunks, text, mark)
	default:
		return ParsedName{}, false
	}
}

// parseChunk parses the text of a chunk, which is a part of a long segment but not its end.
func parseChunk(chunks, text string) (ParsedName, bool) {
	encoded := chunks + text
	// A chunk is always full, and encode replaces a byte by at most three.
	if len(text) != maxChunk || len(encoded) > 3*MaxKey {
		return ParsedName{}, false
	}
	return ParsedName{Segment: encoded, Mark: MarkChunk}, true
}

// parseEncoded parses a name on the disk that contains an encoded segment of a key. text is what
// follows the mark in the name. If the segment is long, the names of the directories around contain its
// beginning, which is chunks. parseEncoded returns false if the name is not part of a key.
func (n Names) parseEncoded(chunks, text string, mark byte) (ParsedName, bool) {
	if len(text) > maxChunk {
		// This package would have split such a segment, so the name is from another program.
		return ParsedName{}, false
	}
	segment, ok := n.decode(chunks + text)
	if !ok || !utf8.ValidString(segment) {
		return ParsedName{}, false
	}
	if mark == MarkEscaped && n.isPlain(segment) {
		// This package would have stored such a segment under its plain name.
		return ParsedName{}, false
	}
	return ParsedName{Segment: segment, Mark: mark}, true
}

// VisibleName returns the name of the object's visible sidecar. This sidecar is a file with the
// object's attributes, and is in the directory AltDir.
func (l Location) VisibleName() string {
	return Reserved + string(MarkVisible) + l.AltBase[len(Reserved)+1:]
}
