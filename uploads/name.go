package uploads

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxNameBytes  = 255 // what file systems hold
	maxNameSuffix = 16  // bytes of an extension that outlives a cut
	maxMarks      = 4   // combining marks on one letter; more climb over the lines around
	noName        = "file"
)

// CleanName makes of a file's name what is safe to show: the last part of a path
// (of Windows too), without control characters, invisible ones and those that
// turn the direction of the text ("gpj.exe" in reverse), spaces folded, at most
// 255 bytes; "file" where nothing is left. It is still text: escape it in HTML.
// It is not for keys.
func CleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	var b strings.Builder
	marks := 0
	for _, r := range name {
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case !unicode.IsPrint(r): // controls, format characters, private use, what is unassigned
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

// cutName keeps the extension.
func cutName(name string) string {
	if len(name) <= maxNameBytes {
		return name
	}
	suffix := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= maxNameSuffix {
		suffix = name[i:]
	}
	base := name[:maxNameBytes-len(suffix)]
	for !utf8.ValidString(base) {
		base = base[:len(base)-1]
	}
	return base + suffix
}
