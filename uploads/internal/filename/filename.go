// Package filename checks texts that clients send and that are stored and shown unchanged, such as
// file names. A text that breaks a rule is refused and not cleaned, so the stored text is exactly
// what the client sent.
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

// Flaw says why a file name cannot be shown or saved everywhere, or returns "".
func Flaw(name string) string {
	if strings.TrimSpace(name) == "" {
		return "The file needs a name."
	}
	if !utf8.ValidString(name) {
		return "The file's name is not valid text."
	}
	if utf8.RuneCountInString(name) > maxName {
		return "The file's name is too long: at most 1,000 characters."
	}
	if strings.ContainsAny(name, `/\`) || name == "." || name == ".." {
		return "The file's name is a path."
	}
	if strings.ContainsFunc(name, isConfusable) {
		return "The file's name has characters that cannot be shown."
	}
	return ""
}

// LabelFlaw says why a text cannot be a label, such as a purpose, or returns "".
func LabelFlaw(text string) string {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, isConfusable) {
		return "This is not valid text, or has characters that cannot be shown."
	}
	if utf8.RuneCountInString(text) > maxLabel {
		return "This is too long: at most 256 characters."
	}
	return ""
}

// Storable fails with InvalidArgument if any of the texts or times is one that some store cannot keep:
// PostgreSQL refuses NUL, and JSON replaces invalid UTF-8 and has only years of four digits. Every store can keep
// values of other types.
func Storable(values ...any) error {
	for _, value := range values {
		switch value := value.(type) {
		case time.Time:
			if year := value.UTC().Year(); year < 0 || year > 9999 {
				return &storage.Error{
					Code: storage.InvalidArgument,
					Err:  fmt.Errorf("times must be in the years 0 to 9999, and not %v", value),
				}
			}
		case string:
			if !utf8.ValidString(value) || strings.Contains(value, "\x00") {
				return &storage.Error{
					Code: storage.InvalidArgument,
					Err:  fmt.Errorf("text must be valid UTF-8 without NUL, and not %q", value),
				}
			}
		}
	}
	return nil
}

// isConfusable reports whether r is a control character, a line separator, or one that changes the direction
// of text, which could show "gpj.exe" as "exe.jpg". Characters that some scripts need are none of these.
func isConfusable(r rune) bool {
	isLineSeparator := r == '\u2028' || r == '\u2029'
	isOverride := '\u202a' <= r && r <= '\u202e'
	isIsolate := '\u2066' <= r && r <= '\u2069'
	return unicode.IsControl(r) || isLineSeparator || isOverride || isIsolate
}
