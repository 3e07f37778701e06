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
	tests := []struct {
		name     string
		failures []error // of the first attempts
		attempts int
		took     time.Duration
		want     error
	}{
		{name: "no failure", attempts: 1, want: nil},
		{
			name:     "after temporary failures",
			failures: []error{temporary, temporary},
			attempts: 3,
			took:     1200 * time.Millisecond,
			want:     nil,
		},
		{
			name:     "after the delay that the store asks for",
			failures: []error{throttled},
			attempts: 2,
			took:     time.Minute,
			want:     nil,
		},
		{
			name: "after a minute, if the store asks for an hour",
			failures: []error{
				&storage.Error{Code: storage.RateLimited, Retryable: true, RetryAfter: time.Hour},
			},
			attempts: 2,
			took:     time.Minute,
			want:     nil,
		},
		{
			name:     "at most three attempts",
			failures: []error{temporary, temporary, temporary, temporary},
			attempts: 3,
			took:     1200 * time.Millisecond,
			want:     temporary,
		},
		{
			name:     "not after a permanent failure",
			failures: []error{&storage.Error{Code: storage.Changed}},
			attempts: 1,
			want:     storage.Changed,
		},
		{
			name:     "not after an error without a code",
			failures: []error{errBroken},
			attempts: 1,
			want:     errBroken,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				start := time.Now()
				err := CopyAll(t.Context(), 1, func(context.Context, int) error {
					attempts++
					if attempts <= len(tt.failures) {
						return tt.failures[attempts-1]
					}
					return nil
				})
				require.ErrorIs(t, err, tt.want)
				require.Equal(t, tt.attempts, attempts)
				require.Equal(t, tt.took, time.Since(start))
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
