package sdkerror

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestLookup(t *testing.T) {
	table := Table{
		Codes:    map[string]Meaning{"Gone": {Code: storage.ObjectNotFound, Hint: "by code"}},
		Statuses: map[int]Meaning{http.StatusConflict: {Code: storage.Unavailable, Hint: "by status"}},
	}
	for _, row := range []struct {
		name, code string
		status     int
		want       Meaning
	}{
		{"a known code", "Gone", http.StatusConflict, Meaning{Code: storage.ObjectNotFound, Hint: "by code"}},
		{"an unknown code", "Other", http.StatusConflict, Meaning{Code: storage.Unavailable, Hint: "by status"}},
		{"a status that means the same everywhere", "", http.StatusForbidden, Meaning{Code: storage.PermissionDenied}},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, row.want, table.Lookup(row.code, row.status))
		})
	}
	require.True(t, table.Has("Gone"))
	require.False(t, table.Has(""))
}

func TestNewError(t *testing.T) {
	cause := errors.New("cause")
	require.Equal(t, &storage.Error{Code: storage.RateLimited, Status: 429, Retryable: true, RetryAfter: 7 * time.Second, Hint: "hint", Err: cause},
		Meaning{Code: storage.RateLimited, Hint: "hint"}.NewError(429, http.Header{"Retry-After": {"7"}}, cause))
	require.Equal(t, &storage.Error{Code: storage.Unauthenticated, Retryable: true, Err: cause},
		Meaning{Code: storage.Unauthenticated, Retryable: true}.NewError(0, nil, cause))
	require.False(t, Meaning{Code: storage.Internal}.NewError(418, nil, cause).Retryable)
}
