package sdkerror

import (
	"strings"
	"unicode/utf8"
)

// maxText is how many bytes the text of an SDK's error may have. Stores send a few hundred.
const maxText = 4 << 10

// A longError is an error whose text is shown in part: the response was a page, which no store sends as an error.
type longError struct {
	text string
	err  error
}

func (e *longError) Error() string { return e.text }
func (e *longError) Unwrap() error { return e.err }

// withShortText returns err, or an error that wraps it and shows the beginning of its text.
func withShortText(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if len(text) <= maxText {
		return err
	}
	cut := maxText
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return &longError{strings.Clone(text[:cut]) + "…", err}
}
