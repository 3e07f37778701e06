package sdkerror

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Lookup finds the meaning of an error by its code, or else by its status.
func TestLookup(t *testing.T) {
	table := Table{
		Codes:    map[string]Meaning{"Gone": {Code: storage.ObjectNotFound, Hint: "by code"}},
		Statuses: map[int]Meaning{http.StatusConflict: {Code: storage.Unavailable, Hint: "by status"}},
	}
	tests := []struct {
		name, code string
		status     int
		want       Meaning
	}{
		{
			name:   "a known code",
			code:   "Gone",
			status: http.StatusConflict,
			want:   Meaning{Code: storage.ObjectNotFound, Hint: "by code"},
		},
		{
			name:   "an unknown code",
			code:   "Other",
			status: http.StatusConflict,
			want:   Meaning{Code: storage.Unavailable, Hint: "by status"},
		},
		{
			name:   "a status that means the same everywhere",
			status: http.StatusForbidden,
			want:   Meaning{Code: storage.PermissionDenied},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, table.Lookup(tt.code, tt.status))
		})
	}
}

// Has reports whether a table has the code of an error.
func TestTableHas(t *testing.T) {
	table := Table{Codes: map[string]Meaning{"Gone": {Code: storage.ObjectNotFound}}}
	require.True(t, table.Has("Gone"))
	require.False(t, table.Has(""))
}

// NewError returns a storage.Error with the meaning, the status and the cause.
func TestNewError(t *testing.T) {
	cause := errors.New("cause")
	tests := []struct {
		name    string
		meaning Meaning
		status  int
		header  http.Header
		want    *storage.Error
	}{
		{
			name:    "a code that is always retried",
			meaning: Meaning{Code: storage.RateLimited, Hint: "hint"},
			status:  429,
			header:  http.Header{"Retry-After": {"7"}},
			want: &storage.Error{
				Code:       storage.RateLimited,
				Status:     429,
				Retryable:  true,
				RetryAfter: 7 * time.Second,
				Hint:       "hint",
				Err:        cause,
			},
		},
		{
			name:    "a meaning that is retried",
			meaning: Meaning{Code: storage.Unauthenticated, Retryable: true},
			want:    &storage.Error{Code: storage.Unauthenticated, Retryable: true, Err: cause},
		},
		{
			name:    "a meaning that is not retried",
			meaning: Meaning{Code: storage.Internal},
			status:  418,
			want:    &storage.Error{Code: storage.Internal, Status: 418, Err: cause},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, tt.meaning.NewError(tt.status, tt.header, cause))
		})
	}
}
