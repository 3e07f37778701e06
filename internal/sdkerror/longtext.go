package sdkerror

import (
	"strings"

	"github.com/omnibucket/storage/internal/words"
)

// maxText is the length in bytes up to which the text of an SDK's error is shown completely. The
// errors of stores have a few hundred bytes.
const maxText = 4 << 10

// A longError wraps an error with a very long text, and shows only its beginning. Such a text is
// usually a web page that another server has sent in place of the store.
type longError struct {
	text string
	err  error
}

func (e *longError) Error() string { return e.text }
func (e *longError) Unwrap() error { return e.err }

// withShortText returns err, or an error that wraps it and shows only the beginning if its text is
// long.
func withShortText(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if len(text) <= maxText {
		return err
	}

	// A clone does not keep the long text in memory.
	return &longError{strings.Clone(words.Beginning(text, maxText)) + "…", err}
}
