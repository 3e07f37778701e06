package uploads

import (
	"path"
	"strings"
	"unicode"

	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

const (
	maxNameBytes  = 255 // the limit of file systems
	maxNameSuffix = 16  // bytes of the extension that is kept when a name is cut
	maxMarks      = 4   // combining marks on one letter; more would cover the lines around it
	noName        = "file"
	blanks        = "\u115F\u1160\u2800\u3164\uFFA0" // letters and signs that show nothing: fillers of Hangul, and Braille
)

// CleanName returns a file's name in a form that is safe to show. It keeps the last
// part of a path (of Windows too). It removes control characters, invisible
// characters and those that change the direction of text ("gpj.exe" in reverse), and
// folds spaces. The result has at most 255 bytes, and is "file" if nothing is left.
// It is still text: escape it in HTML. It is not for keys.
func CleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	var b strings.Builder
	marks := 0
	for _, r := range name {
		switch {
		case unicode.IsSpace(r), strings.ContainsRune(blanks, r):
			r = ' '
		case !unicode.IsPrint(r): // controls, format characters, private use, unassigned
			continue
		}
		if !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Me, r) {
			marks = 0
		} else if marks++; marks > maxMarks {
			continue
		}
		b.WriteRune(r)
	}
	name = cutName(strings.Join(strings.Fields(b.String()), " "))
	if name = strings.Trim(name, " ."); name == "" {
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

// extensionOf returns the extension of a name if a key may have it.
func extensionOf(name string) string {
	if e := strings.ToLower(path.Ext(name)); keypattern.IsExtension(e) {
		return e
	}
	return ""
}
