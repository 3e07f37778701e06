package uploads_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A file that two requests send to the same URL counts once, wherever the second interrupts the first, and at whichever
// of its calls the second is killed.
func TestS3SinglePutThatWaitsCountsOnce(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// Kill the second process after call 1, 2 and so on, until it ends before that call.
		for kill, killed := 1, true; killed; kill++ {
			require.Less(t, kill, 80, "calls without end")
			killed = false
			var path string
			acct.interruptEachCall(interruption{
				prepare: func(other *process) {
					path = requestParams(t, other)
				},
				interrupt: func(*process) {
					// The second request interrupts the first, and is killed.
					killer := &processKiller{at: kill, after: true}
					acct.startProcess(killer.layer).ask("PUT", path, content(3000))
					killed = killed || killer.hasKilled()
					// The dead process's claim on the upload expires.
					acct.now.Advance(2 * time.Minute)
				},
				operation: func(p, other *process, call int) {
					p.ask("PUT", path, content(3000))
					usage, err := other.service.Usage(t.Context(), alice)
					require.NoError(t, err)
					require.LessOrEqual(t, usage.Bytes, int64(3000), "killed at call %d, at call %d", kill, call)
					acct.requireExactAfterSweep(other, "killed at call %d, at call %d", kill, call)
				},
			})
		}
	})
}
