package uploads_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
)

// If a second Finish of one ticket runs at any moment of the first, as after a double click, there is one file, and it
// counts once.
func TestFinishTwiceAtOnceKeepsFile(t *testing.T) {
	const fileSize = 3000
	user := uploads.User{ID: alice}
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// In the nth run, the second Finish runs just before the nth call to the store of the first one.
		for call, interruption := range acct.interruptEachCall() {
			second := acct.startProcess()
			ticket := second.signAndSend(t, content(fileSize))

			// The second process finishes the ticket during the Finish of the first one, except in the last run.
			isFinishedBySecond := false
			first := acct.startProcess(interruption.beforeCall(func() {
				_, err := second.service.Finish(t.Context(), ticket.Token, user)
				require.NoError(t, err)
				isFinishedBySecond = true
			}))
			_, err := first.service.Finish(t.Context(), ticket.Token, user)
			require.True(t, err == nil || isFinishedBySecond, "at call %d: %v", call, err)

			// There is one file, and it counts once.
			keys, _ := acct.files()
			require.Len(t, keys, 1, "at call %d", call)
			usage, err := second.service.Usage(t.Context(), alice)
			require.NoError(t, err)
			require.Equal(t, uploads.Usage{Bytes: fileSize, Files: 1}, usage, "at call %d", call)
			acct.requireExactAfterSweep(second, "at call %d", call)
		}
	})
}
