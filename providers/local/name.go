package local

import (
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A key is its own path, segment by segment, if the file system can hold it: its plain
// name. Names that begin with ".omnibucket" are reserved. A segment that begins with it is
// escaped, so that no plain name equals a reserved one:
//
//	.omnibucket         only at the root: the reserved directory
//	.omnibucket%NAME    a segment that cannot have its plain name
//	.omnibucket=NAME    an object whose plain name is that of a directory (alternate name)
//	.omnibucket+CHUNK/  the beginning of a NAME that is too long for one name
//	.omnibucket@/       in the tree of versions: the noncurrent versions of one object
//	.omnibucket~NAME    the attributes of an object, with Config.Sidecars
//
// NAME is encode(segment). Only files are moved to alternate names, never directories. So
// each parent directory of a key has one name, which is known without reading the disk.
const (
	reserved = ".omnibucket"

	markEscaped   = '%'
	markAlternate = '='
	markChunk     = '+'
	markVersions  = '@'
	markVisible   = '~'

	maxName  = 255                              // bytes, as on ext4, XFS, APFS and NTFS (UTF-16 units)
	maxChunk = maxName - len(reserved) - 1 - 15 // with space for a mark; 15 bytes are margin
	maxKey   = 1024
)

// names maps keys to names on the disk. Strict is for disks that fold case or refuse
// characters (Windows, macOS by default, FAT): only lower-case ASCII keeps its plain name.
// A rule that depends on existing files would keep more plain names. But then a directory
// could have either of two names, and a reader would have to try all combinations.
type names struct{ strict bool }

// A location has the names that the object of a key may have: its plain name or, if a directory
// has that, its alternate name. In strict mode, literal is the literal path of the key, where
// another program may have put a file. Otherwise it is "".
type location struct {
	dir, base       string // the plain name
	altDir, altBase string
	literal         string
}

// locate returns the location of a key. It returns false if no directory can hold the key:
// it has an empty segment, "." or "..", or a NUL byte.
func (n names) locate(key string) (location, bool) {
	dir, last := "", key
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		var ok bool
		if dir, ok = n.dirPath(key[:i]); !ok {
			return location{}, false
		}
		last = key[i+1:]
	}
	if !validSegment(last) {
		return location{}, false
	}
	var l location
	if n.isPlain(last) {
		l.dir, l.base = dir, last
	} else {
		l.dir, l.base = osdir.Split(osdir.Join(dir, escaped(n.encode(last), markEscaped)))
	}
	l.altDir, l.altBase = osdir.Split(osdir.Join(dir, escaped(n.encode(last), markAlternate)))
	if n.strict && osdir.Join(l.dir, l.base) != key && !hasReserved(key) {
		l.literal = key
	}
	return l, true
}

// dirPath returns the directory of the keys under key + "/".
func (n names) dirPath(key string) (string, bool) {
	plain := true
	for segment := range strings.SplitSeq(key, "/") {
		if !validSegment(segment) {
			return "", false
		}
		plain = plain && n.isPlain(segment)
	}
	if plain {
		return key, true
	}
	path := ""
	for segment := range strings.SplitSeq(key, "/") {
		path = osdir.Join(path, n.segment(segment))
	}
	return path, true
}

// segment returns the path of a directory on disk. A long segment has several components.
func (n names) segment(segment string) string {
	if n.isPlain(segment) {
		return segment
	}
	return escaped(n.encode(segment), markEscaped)
}

func validSegment(segment string) bool {
	return segment != "" && segment != "." && segment != ".." && strings.IndexByte(segment, 0) < 0
}

// isPlain reports whether segment keeps its plain name.
func (n names) isPlain(segment string) bool {
	if segment == "" || len(segment) > maxName || isReserved(segment) {
		return false
	}
	return !n.strict || strictName(segment)
}

// isReserved reports whether a name is reserved. It ignores case, so that no plain name is a
// reserved one on a disk that folds case.
func isReserved(name string) bool {
	return len(name) >= len(reserved) && strings.EqualFold(name[:len(reserved)], reserved)
}

func hasReserved(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if isReserved(segment) {
			return true
		}
	}
	return false
}

// strictName reports whether name is lower-case ASCII that Windows accepts.
func strictName(name string) bool {
	for i := range len(name) {
		if !strictByte(name[i]) {
			return false
		}
	}
	if end := name[len(name)-1]; end == '.' || end == ' ' {
		return false
	}
	return !isDevice(name)
}

func strictByte(c byte) bool {
	if c <= 0x20 && c != ' ' || c >= 0x7F || c >= 'A' && c <= 'Z' {
		return false
	}
	return strings.IndexByte(`<>:"|?*\/`, c) < 0
}

// isDevice reports whether Windows reserves name for a device, with any extension.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.TrimRight(stem, " ")
	switch stem {
	case "con", "prn", "aux", "nul", "conin$", "conout$":
		return true
	}
	if len(stem) != 4 || !strings.HasPrefix(stem, "com") && !strings.HasPrefix(stem, "lpt") {
		return false
	}
	return stem[3] >= '0' && stem[3] <= '9'
}

const hexDigits = "0123456789abcdef"

// encode returns the NAME of a segment. It writes "%" and bytes that the disk refuses as
// %xx. In strict mode, it writes a capital as "^" and the small letter.
func (n names) encode(segment string) string {
	b := make([]byte, 0, len(segment)+16)
	for i := range len(segment) {
		c := segment[i]
		switch {
		case n.strict && c >= 'A' && c <= 'Z':
			b = append(b, '^', c+('a'-'A'))
		case c == '%' || c == '^' || c < 0x20 || c == 0x7F || n.strict && !n.keeps(segment, i):
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// keeps reports whether byte i of segment need not be escaped in strict mode. A dot or
// space must be escaped if a name, or a chunk of one, could end in it.
func (n names) keeps(segment string, i int) bool {
	c := segment[i]
	if c == ' ' || c == '.' && (i == len(segment)-1 || len(segment) > maxChunk/3) {
		return false
	}
	return strictByte(c)
}

// decode is the inverse of encode. It returns false if encode never returns such a name.
func (n names) decode(name string) (string, bool) {
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '^':
			if i++; i >= len(name) || name[i] < 'a' || name[i] > 'z' {
				return "", false
			}
			b = append(b, name[i]-('a'-'A'))
		case '%':
			if i+2 >= len(name) {
				return "", false
			}
			high, low := strings.IndexByte(hexDigits, name[i+1]), strings.IndexByte(hexDigits, name[i+2])
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
	return segment, validSegment(segment) && strings.IndexByte(segment, '/') < 0 && n.encode(segment) == name
}

// escaped returns the path of a NAME. The last component has the mark.
func escaped(name string, mark byte) string {
	var b strings.Builder
	b.Grow(len(name) + 2*len(reserved) + 2)
	for len(name) > maxChunk {
		b.WriteString(reserved)
		b.WriteByte(markChunk)
		b.WriteString(name[:maxChunk])
		b.WriteByte('/')
		name = name[maxChunk:]
	}
	b.WriteString(reserved)
	b.WriteByte(mark)
	b.WriteString(name)
	return b.String()
}

// A found name is the meaning of a directory entry.
type found struct {
	segment string
	mark    byte // 0 for a plain name
	literal bool // whether another program chose the name, in strict mode
}

// parse parses the name of a file or directory. chunks is the beginning of a long NAME, or
// "". For a chunk, segment is the NAME so far. It returns false if the name is not part of
// any key.
func (n names) parse(chunks, name string) (found, bool) {
	if !isReserved(name) {
		if name == "" || chunks != "" || !utf8.ValidString(name) {
			return found{}, false
		}
		return found{segment: name, literal: n.strict && !n.isPlain(name)}, true
	}
	if len(name) < len(reserved)+2 || !strings.HasPrefix(name, reserved) {
		return found{}, false
	}
	mark, rest := name[len(reserved)], chunks+name[len(reserved)+1:]
	switch mark {
	case markChunk:
		return found{segment: rest, mark: mark}, len(name) == len(reserved)+1+maxChunk && len(rest) <= 3*maxKey
	case markEscaped, markAlternate:
		if len(name) > len(reserved)+1+maxChunk {
			return found{}, false
		}
		segment, ok := n.decode(rest)
		if !ok || !utf8.ValidString(segment) || mark == markEscaped && n.isPlain(segment) {
			return found{}, false
		}
		return found{segment: segment, mark: mark}, true
	}
	return found{}, false
}
