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

// perSecond is the number of requests that a pace permits if it delays nothing, because the store serves each request
// in a millisecond.
const perSecond = 1000

// newPace returns a pace that is on, and counts the successes of requests.
func newPace(maxDelay time.Duration) *Pace {
	const isEnabled, countsSuccesses = true, true
	return New(isEnabled, countsSuccesses, maxDelay)
}

// countRequests makes requests for a time, as fast as the pace permits, and returns their number.
func countRequests(t *testing.T, p *Pace, during time.Duration) (requests int) {
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
		p := newPace(time.Second)
		require.Equal(t, 5*perSecond, countRequests(t, p, 5*time.Second))
	})
}

// After the first refusals, the rate is the average rate of the last successes. If the pace does not count successes
// before the first refusal, the rate is the lowest one.
func TestPaceRateAfterRefusals(t *testing.T) {
	tests := []struct {
		name            string
		countsSuccesses bool
		wantLeast       int // requests in the second after the refusals
		wantMost        int
	}{
		{name: "successes are counted", countsSuccesses: true, wantLeast: 300, wantMost: 500},
		{name: "successes are not counted", countsSuccesses: false, wantLeast: 1, wantMost: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The lowest rate is one request a second, which a long delay does not lower.
				const maxDelay = time.Hour
				const isEnabled = true
				p := New(isEnabled, tt.countsSuccesses, maxDelay)

				// The store serves 1,000 requests a second for a round and a half, and then refuses many. The pace
				// remembers about 500 successes, those of the last half round.
				countRequests(t, p, 3*round/2)
				for range 800 {
					p.Refused(errRefused)
				}
				require.True(t, p.Throttled())
				require.Equal(t, errRefused, p.Refusal())

				// The round of the refusals has no more successes, which lowers the average to a third of 1,000. The next
				// round has the new rate.
				time.Sleep(round)
				requests := countRequests(t, p, time.Second)
				require.GreaterOrEqual(t, requests, tt.wantLeast)
				require.LessOrEqual(t, requests, tt.wantMost)
			})
		})
	}
}

// The pace does not lower the rate for one refusal among ten successes.
func TestPaceAfterFewRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(time.Second)
		p.Refused(errRefused)
		for range 10 {
			p.Answered()
		}
		time.Sleep(round)
		require.Equal(t, perSecond/2, countRequests(t, p, time.Second/2))
	})
}

// Ten seconds after the last refusal, the pace delays no requests anymore.
func TestPaceTenSecondsAfterRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(time.Second)
		p.Refused(errRefused)
		time.Sleep(12 * round) // a round is one second
		require.NoError(t, p.Wait(t.Context()))
		require.False(t, p.Throttled())
		require.NoError(t, p.Refusal())
	})
}

// A pace that is off delays nothing, and only reports whether the store throttles.
func TestPaceOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const isEnabled, countsSuccesses = false, true
		p := New(isEnabled, countsSuccesses, time.Second)
		for range 100 {
			p.Refused(errRefused)
		}
		require.True(t, p.Throttled())
		time.Sleep(round)
		require.Equal(t, perSecond, countRequests(t, p, time.Second))
	})
}

// Wait fails if ctx ends before the turn of the caller.
func TestPaceWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// All requests of a round are refused, so the rate becomes the lowest one, which is one request a second.
		const maxDelay = time.Hour
		p := newPace(maxDelay)
		for range 100 {
			p.Refused(errRefused)
		}
		time.Sleep(round)

		// The first caller need not wait. The turn of the second one comes after its ctx has ended.
		require.NoError(t, p.Wait(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, p.Wait(ctx), context.DeadlineExceeded)
	})
}
