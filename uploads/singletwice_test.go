package uploads_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Two requests send the same file to the same URL at once, and the process of the second one is
// killed. The file counts once, whichever call of the first request the second one precedes, and
// after whichever call its process is killed.
func TestS3SinglePutThatWaitsCountsOnce(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// Kill the second process after call 1, 2 and so on, until it always ends before that call.
		const mostCalls = 80
		killCall := 1
		for acct.putWhileOtherIsKilled(killCall) {
			killCall++
			require.Less(t, killCall, mostCalls, "calls without end")
		}
	})
}

// putWhileOtherIsKilled sends a file in one request. Before each call of the request in turn, another process gets the
// same request, and is killed after its call killCall. It requires that the file counts once, and reports whether the
// other process was killed at least once.
func (acct *account) putWhileOtherIsKilled(killCall int) (killed bool) {
	t := acct.t
	// In the nth run, the second request comes just before the nth call of the first one to the store.
	for call, interruption := range acct.interruptEachCall() {
		const fileSize = 3000
		other := acct.startProcess()
		path := requestParams(t, other)

		// The process of the second request is killed, and then its claim on the upload ends.
		killer := &processKiller{atCall: killCall, afterCall: true}
		first := acct.startProcess(interruption.beforeCall(func() {
			acct.startProcess(killer.layer).ask("PUT", path, content(fileSize))
			acct.clock.Advance(2 * time.Minute)
		}))
		first.ask("PUT", path, content(fileSize))
		killed = killed || killer.hasKilled()

		usage, err := other.service.Usage(t.Context(), alice)
		require.NoError(t, err)
		require.LessOrEqual(t, usage.Bytes, int64(fileSize), "killed at call %d, at call %d", killCall, call)
		acct.requireExactAfterSweep(other, "killed at call %d, at call %d", killCall, call)
	}
	return killed
}
