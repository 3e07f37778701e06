package cleanup_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/cleanup"
)

// After runs a cleanup with a new context, because the caller has canceled the call, and repeats it
// after temporary errors. If the cleanup fails, the hint of the call's error says what is left.
func TestAfterRetriesAndTells(t *testing.T) {
	temporary := &storage.Error{Code: storage.Unavailable, Retryable: true}
	denied := &storage.Error{Code: storage.PermissionDenied}
	tests := []struct {
		name     string
		failures []error
		attempts int
		hint     string
	}{
		{name: "no failure", attempts: 1},
		{name: "temporary failures", failures: []error{temporary, temporary, temporary}, attempts: 4},
		{
			name:     "a failure that stays",
			failures: []error{temporary, temporary, temporary, temporary},
			attempts: 4,
			hint:     "the parts could not be removed: unavailable",
		},
		{
			name:     "no permission",
			failures: []error{denied},
			attempts: 1,
			hint:     "the parts could not be removed: permission denied",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				attempts := 0
				e := &storage.Error{Code: storage.Canceled}

				err := cleanup.After(ctx, e, "the parts", func(ctx context.Context) error {
					require.NoError(t, ctx.Err())
					attempts++
					if attempts <= len(tt.failures) {
						return tt.failures[attempts-1]
					}
					return nil
				})
				require.ErrorIs(t, err, storage.Canceled)
				require.Equal(t, tt.attempts, attempts)
				require.Equal(t, tt.hint, err.(*storage.Error).Hint)
			})
		})
	}
}
