package kms

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A Meaning is what this library returns for a service's error code.
type Meaning struct {
	Code storage.Code
	Hint string
}

// Meanings maps the error codes of a service to their meanings.
type Meanings map[string]Meaning

// ByCode returns Meanings by error code. names has the codes of each meaning, separated by spaces.
func ByCode(names map[Meaning]string) Meanings {
	meanings := Meanings{}
	for meaning, list := range names {
		for code := range strings.FieldsSeq(list) {
			meanings[code] = meaning
		}
	}
	return meanings
}

// isRetryable reports whether a request that failed with code may succeed later.
func isRetryable(code storage.Code) bool {
	return code == storage.RateLimited || code == storage.Unavailable
}

// IsTemporaryStatus reports whether a request that failed with status may succeed later.
func IsTemporaryStatus(status int) bool {
	return driver.StatusError(&http.Response{StatusCode: status}).Retryable
}
