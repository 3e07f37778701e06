package kms

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A Meaning is what a code of a service means.
type Meaning struct {
	Code storage.Code
	Hint string
}

// Meanings are those of a service, by its codes.
type Meanings map[string]Meaning

// ByCode returns the meanings of codes, which a text of names has for each meaning.
func ByCode(names map[Meaning]string) Meanings {
	codes := Meanings{}
	for m, all := range names {
		for name := range strings.FieldsSeq(all) {
			codes[name] = m
		}
	}
	return codes
}

// isRetryable reports whether a request that failed with code may succeed later.
func isRetryable(code storage.Code) bool {
	return code == storage.RateLimited || code == storage.Unavailable
}

// MayPass reports whether a request that got a status may get another one later.
func MayPass(status int) bool {
	return driver.StatusError(&http.Response{StatusCode: status}).Retryable
}
