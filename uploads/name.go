package uploads

import (
	"path"
	"strings"
	"unicode"

	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
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

// CleanName returns a file's name in a form that is safe to show. If the name is a path with
// slashes or backslashes, CleanName keeps only the last element. It removes control characters and
// invisible characters. It also removes characters that reverse the direction of text, because they
// could show "gpj.exe" as "exe.jpg". It replaces several spaces by one. The result has at most 255
// bytes. If nothing is left, the result is "file". The result is text and must still be escaped in
// HTML. Do not use it as a key.
func CleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	var b strings.Builder
	marks := 0
	for _, r := range name {
		if unicode.IsSpace(r) || strings.ContainsRune(blanks, r) {
			r = ' '
		} else if !unicode.IsPrint(r) { // control, format, private and unassigned characters
			continue
		}
		if !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Me, r) {
			marks = 0
		} else {
			marks++
		}
		if marks > maxMarks {
			continue
		}
		b.WriteRune(r)
	}
	name = cutName(strings.Join(strings.Fields(b.String()), " "))
	name = strings.Trim(name, " .")
	if name == "" {
		return noName
	}
	return name
}

func cutName(name string) string {
	if len(name) <= maxNameBytes {
		return name
	}
	suffix := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= maxNameSuffix {
		suffix = name[i:]
	}
	return webapi.Beginning(name, maxNameBytes-len(suffix)) + suffix
}

// extensionOf returns the extension of a name in lower case. If a key may not have that extension,
// it returns "".
func extensionOf(name string) string {
	if e := strings.ToLower(path.Ext(name)); keypattern.IsExtension(e) {
		return e
	}
	return ""
}
