// Package filename has the rules for texts that clients send, and that are kept and shown unchanged. A
// text that breaks a rule is refused rather than cleaned, so that the text that is kept is the one
// that the client sent.
package filename

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/omnibucket/storage"
)

const (
	maxName  = 1000 // characters
	maxLabel = 256  // characters of a purpose or a user's ID
)

// Flaw returns why a name cannot be shown and saved anywhere, or "".
func Flaw(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "The file needs a name."
	case !utf8.ValidString(name):
		return "The file's name is not valid text."
	case utf8.RuneCountInString(name) > maxName:
		return "The file's name is too long: at most 1,000 characters."
	case strings.ContainsAny(name, `/\`) || name == "." || name == "..":
		return "The file's name is a path."
	case strings.ContainsFunc(name, isConfusable):
		return "The file's name has characters that cannot be shown."
	}
	return ""
}

// LabelFlaw returns why a text cannot be a label, such as a purpose, or "".
func LabelFlaw(text string) string {
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, isConfusable):
		return "This is not valid text, or has characters that cannot be shown."
	case utf8.RuneCountInString(text) > maxLabel:
		return "This is too long: at most 256 characters."
	}
	return ""
}

// Storable fails with InvalidArgument if a text or a time among the values cannot be kept everywhere: PostgreSQL
// takes no NUL, JSON replaces what is not UTF-8, and takes years of four digits only.
func Storable(values ...any) error {
	for _, value := range values {
		if at, ok := value.(time.Time); ok && (at.UTC().Year() < 0 || at.UTC().Year() > 9999) {
			return &storage.Error{
				Code: storage.InvalidArgument, Err: fmt.Errorf("times must be in the years 0 to 9999, and not %v", at),
			}
		}
		if text, ok := value.(string); ok && (!utf8.ValidString(text) || strings.Contains(text, "\x00")) {
			return &storage.Error{
				Code: storage.InvalidArgument,
				Err:  fmt.Errorf("text must be valid UTF-8 without NUL, and not %q", text),
			}
		}
	}
	return nil
}

// isConfusable reports whether r is a control character, a line end, or changes the
// direction of the text that follows, so that "gpj.exe" reads as "exe.jpg". Marks
// that scripts need (ZWJ, ZWNJ, RLM) are fine.
func isConfusable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}
