package filename

import (
	"strings"
	"unicode"

	"github.com/omnibucket/storage/internal/words"
)

const (
	maxNameBytes  = 255 // file systems do not allow longer names
	maxNameSuffix = 16  // longest extension in bytes that is kept when a long name is cut
	maxMarks      = 4   // combining marks that one letter may have; more would cover the lines around it
	noName        = "file"
	// characters that IsPrint accepts but that show nothing: fillers of Hangul, and an empty
	// Braille cell
	blanks = "\u115F\u1160\u2800\u3164\uFFA0"
)

// Clean returns the name of a file in a form that is safe to show: the last element of its path, without
// invisible characters and superfluous spaces.
func Clean(name string) string {
	// Keep only the last element of the path.
	name = strings.ToValidUTF8(name, "")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}

	// Join the words by single spaces, and cut what is too long.
	words := strings.Fields(showable(name))
	name = cutName(strings.Join(words, " "))
	name = strings.Trim(name, " .")
	if name == "" {
		return noName
	}
	return name
}

// showable returns a name without the characters that are not safe to show. Each blank becomes a space.
func showable(name string) string {
	var b strings.Builder
	marks := 0 // number of marks in a row
	for _, r := range name {
		if unicode.IsSpace(r) || strings.ContainsRune(blanks, r) {
			r = ' '
		}
		if r != ' ' && !unicode.IsPrint(r) {
			// Leave out control, format, private and unassigned characters.
			continue
		}

		// Marks can pile up over the text around them.
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
			marks++
		} else {
			marks = 0
		}
		if marks <= maxMarks {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// cutName shortens a long name to maxNameBytes, but keeps a short extension.
func cutName(name string) string {
	if len(name) <= maxNameBytes {
		return name
	}
	suffix := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= maxNameSuffix {
		suffix = name[i:]
	}
	return words.Beginning(name, maxNameBytes-len(suffix)) + suffix
}
