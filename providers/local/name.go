package local

import (
	"strings"
	"unicode/utf8"
)

// A key is its own path, segment by segment, wherever a file system can hold
// it. Names that begin with ".omnibucket" are ours, so a segment that begins so
// is escaped, and no escaped name can be anybody's natural one:
//
//	.omnibucket         at the root only: the reserved directory
//	.omnibucket%NAME    a segment that could not keep its own name
//	.omnibucket=NAME    an object whose own name is a directory's
//	.omnibucket+CHUNK/  the beginning of a NAME too long for one name
//	.omnibucket@/       in the tree of kept versions: one object's versions
//	.omnibucket~NAME    the attributes of an object, with Config.Sidecars
//
// NAME is encode(segment). Only files are ever moved to "=" names, never
// directories: a directory on the way to a key has one name, known without
// looking.
const (
	reserved = ".omnibucket"

	markEscaped   = '%'
	markAlternate = '='
	markChunk     = '+'
	markVersions  = '@'
	markVisible   = '~'

	maxName  = 255                              // bytes; ext4, XFS, APFS, NTFS (there UTF-16 units, which are never more)
	maxChunk = maxName - len(reserved) - 1 - 15 // with room for a mark; the rest is margin
	maxKey   = 1024
)

// names says which names the disk can hold. Strict is for disks that fold case
// or refuse characters (Windows, macOS as it comes, FAT): there only plain
// lower-case ASCII keeps its natural name. A rule that looked at what is
// already there would keep more names natural, but then a directory could have
// either of two names, and a reader would have to try every combination.
type names struct{ strict bool }

// A location is where a key's object may lie: under its own name, or, where a
// directory has that, aside. In strict mode raw is the key's literal path, at
// which somebody else may have put a file; else it is "".
type location struct {
	dir, base       string // the natural place
	altDir, altBase string
	literal         string
}

// locate answers false for keys that no directory can hold: with an empty
// segment, "." or "..", or a NUL.
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
		l.dir, l.base = split(join(dir, escaped(n.encode(last), markEscaped)))
	}
	l.altDir, l.altBase = split(join(dir, escaped(n.encode(last), markAlternate)))
	if n.strict && join(l.dir, l.base) != key && !hasReserved(key) {
		l.literal = key
	}
	return l, true
}

// dirPath is the directory of the keys under key + "/".
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
		path = join(path, n.segment(segment))
	}
	return path, true
}

// segment is a directory's name on disk: several, nested, where it is long.
func (n names) segment(segment string) string {
	if n.isPlain(segment) {
		return segment
	}
	return escaped(n.encode(segment), markEscaped)
}

func validSegment(segment string) bool {
	return segment != "" && segment != "." && segment != ".." && strings.IndexByte(segment, 0) < 0
}

// natural reports whether segment keeps its own name.
func (n names) isPlain(segment string) bool {
	if segment == "" || len(segment) > maxName || isReserved(segment) {
		return false
	}
	return !n.strict || strictName(segment)
}

// isReserved ignores case, so that no name meets ours on a disk that folds it.
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

// strictName: lower-case ASCII that Windows takes too.
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

// isDevice reports the names that Windows keeps for devices, with any
// extension.
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

// encode writes a segment as a NAME: "%" and what the disk refuses as %xx, and
// in strict mode capitals as "^" and the small letter.
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

// keeps reports whether byte i of segment may stand for itself in strict mode;
// a dot or space may not where a name, or a chunk of one, could end in it.
func (n names) keeps(segment string, i int) bool {
	c := segment[i]
	if c == ' ' || c == '.' && (i == len(segment)-1 || len(segment) > maxChunk/3) {
		return false
	}
	return strictByte(c)
}

// decode is the inverse of encode. False: encode wrote no such name.
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

// escaped is the path of a NAME: its mark stands on the last piece.
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

// A found name is one directory entry, understood.
type found struct {
	segment string
	mark    byte // 0: a natural name; raw in strict mode says that it is somebody else's
	literal bool
}

// parse understands the name of a file or directory that lies under chunks, the
// decoded beginning of a long NAME, "" as a rule. For a chunk, segment is the
// NAME so far. False: it is not part of any key.
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

// join and split are for paths inside the bucket: slashes, "" for the root.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

func split(path string) (dir, base string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}
