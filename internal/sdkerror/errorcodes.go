package sdkerror

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
)

// A Meaning is the meaning of an error code of a provider.
type Meaning struct {
	Code      storage.Code
	Hint      string
	Retryable bool // set if the error is retryable although its Code is not
}

// A Table has the meanings of a provider's errors.
type Table struct {
	Codes    map[string]Meaning // meanings by the provider's code
	Statuses map[int]Meaning    // meanings by status, if they differ from CodeFromStatus
}

// Codes returns a table by code. names has the codes for each meaning, separated by spaces.
func Codes(names map[Meaning]string) map[string]Meaning {
	codes := map[string]Meaning{}
	for m, all := range names {
		for name := range strings.FieldsSeq(all) {
			codes[name] = m
		}
	}
	return codes
}

// Lookup returns the meaning of the provider's code. If the code is not in the
// table, it returns the meaning of the status.
func (t *Table) Lookup(code string, status int) Meaning {
	if m, known := t.Codes[code]; known {
		return m
	}
	if m, known := t.Statuses[status]; known {
		return m
	}
	return Meaning{Code: CodeFromStatus(status)}
}

// Has reports whether the provider's code is in the table.
func (t *Table) Has(code string) bool {
	_, known := t.Codes[code]
	return known
}

// NewError returns the error with the meaning m for a response with the given
// status and header. err is the SDK's error.
func (m Meaning) NewError(status int, header http.Header, err error) *storage.Error {
	return &storage.Error{
		Code:       m.Code,
		Status:     status,
		Retryable:  m.Retryable || IsRetryable(m.Code),
		RetryAfter: RetryAfter(header),
		Hint:       m.Hint,
		Err:        err,
	}
}
