package copyparts

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var errBroken = errors.New("broken")

// If a part fails temporarily, CopyAll copies it again.
func TestCopyAllRetriesPart(t *testing.T) {
	temporary := &storage.Error{Code: storage.Unavailable, Retryable: true}
	throttled := &storage.Error{Code: storage.RateLimited, Retryable: true, RetryAfter: time.Minute}
	const pauses = 1200 * time.Millisecond // before the second and the third attempt together
	tests := []struct {
		name         string
		failures     []error // of the first attempts
		wantAttempts int
		wantDuration time.Duration
		wantErr      error
	}{
		{name: "no failure", wantAttempts: 1},
		{
			name:         "two temporary failures",
			failures:     []error{temporary, temporary},
			wantAttempts: 3,
			wantDuration: pauses,
		},
		{
			name:         "a store that asks for a minute's delay",
			failures:     []error{throttled},
			wantAttempts: 2,
			wantDuration: time.Minute,
		},
		{
			name: "a store that asks for an hour, which is too long",
			failures: []error{
				&storage.Error{Code: storage.RateLimited, Retryable: true, RetryAfter: time.Hour},
			},
			wantAttempts: 2,
			wantDuration: time.Minute,
		},
		{
			name:         "more temporary failures than attempts",
			failures:     []error{temporary, temporary, temporary, temporary},
			wantAttempts: 3,
			wantDuration: pauses,
			wantErr:      temporary,
		},
		{
			name:         "a permanent failure",
			failures:     []error{&storage.Error{Code: storage.Changed}},
			wantAttempts: 1,
			wantErr:      storage.Changed,
		},
		{
			name:         "an error without a code",
			failures:     []error{errBroken},
			wantAttempts: 1,
			wantErr:      errBroken,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const parts = 1
				attempts := 0
				start := time.Now()
				err := CopyAll(t.Context(), parts, func(context.Context, int) error {
					attempts++
					if attempts <= len(tt.failures) {
						return tt.failures[attempts-1]
					}
					return nil
				})
				require.ErrorIs(t, err, tt.wantErr)
				require.Equal(t, tt.wantAttempts, attempts)
				require.Equal(t, tt.wantDuration, time.Since(start))
			})
		})
	}
}

// CopyAll retries no part after ctx has ended.
func TestCopyAllEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		start := time.Now()
		const parts = 1
		err := CopyAll(ctx, parts, func(context.Context, int) error {
			return &storage.Error{Code: storage.RateLimited, Retryable: true, RetryAfter: time.Hour}
		})
		require.Error(t, err)
		require.Equal(t, time.Second, time.Since(start))
	})
}
