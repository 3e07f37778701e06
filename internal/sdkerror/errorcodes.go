package sdkerror

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
)

// A Meaning says how an error code of a provider translates to an error of this library.
type Meaning struct {
	Code      storage.Code
	Hint      string
	Retryable bool // true if the request may be retried although errors with this Code are usually not retryable
}

// A Table translates all error codes of one provider.
type Table struct {
	Codes    map[string]Meaning // meanings by the provider's error code
	Statuses map[int]Meaning    // meanings by HTTP status, where CodeFromStatus would be wrong for the provider
}

// Codes returns a map for [Table.Codes]. names has the provider's error codes for each meaning,
// separated by spaces.
func Codes(names map[Meaning]string) map[string]Meaning {
	codes := map[string]Meaning{}
	for meaning, list := range names {
		for name := range strings.FieldsSeq(list) {
			codes[name] = meaning
		}
	}
	return codes
}

// Lookup returns the meaning of the provider's error code, or that of the HTTP status if the Table
// does not have the code.
func (t *Table) Lookup(code string, status int) Meaning {
	if m, ok := t.Codes[code]; ok {
		return m
	}
	if m, ok := t.Statuses[status]; ok {
		return m
	}

	m := Meaning{Code: CodeFromStatus(status)}
	isUnknown := m.Code == storage.Internal && status >= http.StatusBadRequest
	if isUnknown {
		return Unknown
	}
	return m
}

// Unknown is the meaning of an error response if its code and its status are not in the tables.
var Unknown = Meaning{
	Code: storage.Internal,
	Hint: "the store refuses this for a reason that this version does not know: its message says what to do",
}

// Has reports whether the provider's code is in the table.
func (t *Table) Has(code string) bool {
	_, ok := t.Codes[code]
	return ok
}

// NewError returns an error with the meaning m. status and header are those of the response, and
// err is the error of the SDK.
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
