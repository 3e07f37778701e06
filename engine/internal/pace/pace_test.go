package pace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errRefused = errors.New("slow down")

// send makes requests for a time, as fast as the pace permits. The store serves each request in a
// millisecond, so a pace that delays nothing permits 1000 requests a second.
func send(t *testing.T, p *Pace, during time.Duration) (requests int) {
	t.Helper()
	for start := time.Now(); time.Since(start) < during; requests++ {
		require.NoError(t, p.Wait(t.Context()))
		time.Sleep(time.Millisecond)
		p.Succeeded()
	}
	return requests
}

// The pace delays no request before the store has refused one.
func TestPaceBeforeFirstRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.Equal(t, 5000, send(t, New(true, true, time.Second), 5*time.Second))
	})
}

// After refusals, the rate is near that of the successes before the first refusal, or, if these are not counted, the
// lowest rate.
func TestPaceRateAfterRefusals(t *testing.T) {
	tests := []struct {
		name    string
		counts  bool
		atLeast int
		atMost  int
	}{
		{name: "successes are counted", counts: true, atLeast: 300, atMost: 500},
		{name: "successes are not counted", counts: false, atLeast: 1, atMost: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The lowest rate is one request a second, which a long delay does not lower.
				const maxDelay = time.Hour
				p := New(true, tt.counts, maxDelay)
				// Send about 1,000 requests a second for a round and a half, and then let the store refuse many.
				send(t, p, 3*round/2)
				for range 800 {
					p.Refused(errRefused)
				}
				require.True(t, p.Throttled())
				require.Equal(t, errRefused, p.Refusal())

				// The next round has the new rate.
				time.Sleep(round)
				got := send(t, p, time.Second)
				require.GreaterOrEqual(t, got, tt.atLeast)
				require.LessOrEqual(t, got, tt.atMost)
			})
		})
	}
}

// The pace does not lower the rate for one refusal among ten successes.
func TestPaceAfterFewRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(true, true, time.Second)
		p.Refused(errRefused)
		for range 10 {
			p.Answered()
		}
		time.Sleep(round)
		require.Equal(t, 500, send(t, p, 500*time.Millisecond))
	})
}

// Ten seconds after the last refusal, the pace delays no requests anymore.
func TestPaceTenSecondsAfterRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(true, true, time.Second)
		p.Refused(errRefused)
		time.Sleep(12 * round)
		require.NoError(t, p.Wait(t.Context()))
		require.False(t, p.Throttled())
		require.NoError(t, p.Refusal())
	})
}

// A pace that is off delays nothing, and only reports whether the store throttles.
func TestPaceOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(false, true, time.Second)
		for range 100 {
			p.Refused(errRefused)
		}
		require.True(t, p.Throttled())
		time.Sleep(round)
		require.Equal(t, 1000, send(t, p, time.Second))
	})
}

// Wait fails if ctx ends before the turn of the caller.
func TestPaceWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(true, true, time.Hour)
		for range 100 {
			p.Refused(errRefused)
		}
		time.Sleep(round)

		// The first caller need not wait.
		require.NoError(t, p.Wait(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, p.Wait(ctx), context.DeadlineExceeded)
	})
}
