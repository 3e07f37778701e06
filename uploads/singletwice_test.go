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
			for call, interruption := range acct.interruptEachCall() {
				other := acct.startProcess()
				path := requestParams(t, other)

				// The second request runs before one of the calls of the first, and is killed. Then the claim of the
				// dead process on the upload expires.
				killer := &processKiller{atCall: kill, afterCall: true}
				p := acct.startProcess(interruption.layer(func() {
					acct.startProcess(killer.layer).ask("PUT", path, content(3000))
					acct.clock.Advance(2 * time.Minute)
				}))

				p.ask("PUT", path, content(3000))
				killed = killed || killer.hasKilled()
				usage, err := other.service.Usage(t.Context(), alice)
				require.NoError(t, err)
				require.LessOrEqual(t, usage.Bytes, int64(3000), "killed at call %d, at call %d", kill, call)
				acct.requireExactAfterSweep(other, "killed at call %d, at call %d", kill, call)
			}
		}
	})
}
