package cleanup_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/cleanup"
)

// The function After runs a cleanup although the call was canceled, and repeats it after temporary errors. If it fails
// in the end, the hint of the call's error says what is left.
func TestAfterRetriesAndTells(t *testing.T) {
	temporary := &storage.Error{Code: storage.Unavailable, Retryable: true}
	denied := &storage.Error{Code: storage.PermissionDenied}
	tests := []struct {
		name         string
		failures     []error // of the first attempts
		wantAttempts int
		wantHint     string
	}{
		{name: "no failure", wantAttempts: 1},
		{
			name:         "temporary failures",
			failures:     []error{temporary, temporary, temporary},
			wantAttempts: 4,
			wantHint:     "",
		},
		{
			name:         "a failure that stays",
			failures:     []error{temporary, temporary, temporary, temporary},
			wantAttempts: 4,
			wantHint:     "the parts could not be removed: unavailable",
		},
		{
			name:         "no permission",
			failures:     []error{denied},
			wantAttempts: 1,
			wantHint:     "the parts could not be removed: permission denied",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				// The call was canceled before its cleanup.
				cancel()
				callErr := &storage.Error{Code: storage.Canceled}

				attempts := 0
				err := cleanup.After(ctx, callErr, "the parts", func(ctx context.Context) error {
					require.NoError(t, ctx.Err())
					attempts++
					if attempts <= len(tt.failures) {
						return tt.failures[attempts-1]
					}
					return nil
				})
				require.ErrorIs(t, err, storage.Canceled)
				require.Equal(t, tt.wantAttempts, attempts)
				require.Equal(t, tt.wantHint, err.(*storage.Error).Hint)
			})
		})
	}
}
