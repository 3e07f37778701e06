package uploads_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
)

// One file stays, and counts once, if a second Finish of the same ticket runs before any call of the first, as after a
// double click.
func TestFinishTwiceAtOnceKeepsFile(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		user := uploads.User{ID: alice}
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			ticket, err := other.service.Sign(t.Context(), uploads.Request{Size: 3000}, user)
			require.NoError(t, err)
			other.sendTicket(t, ticket, content(3000))

			// Another process finishes the ticket before one of the calls of Finish.
			isFinished := false // by the other process
			p := acct.startProcess(interruption.layer(func() {
				_, err := other.service.Finish(t.Context(), ticket.Token, user)
				require.NoError(t, err)
				isFinished = true
			}))

			_, err = p.service.Finish(t.Context(), ticket.Token, user)
			require.True(t, err == nil || isFinished, "at call %d: %v", call, err)

			// There is one file, whichever call has succeeded.
			keys, _ := acct.files()
			require.Len(t, keys, 1, "at call %d", call)

			usage, err := other.service.Usage(t.Context(), alice)
			require.NoError(t, err)
			require.Equal(t, uploads.Usage{Bytes: 3000, Files: 1}, usage, "at call %d", call)
			acct.requireExactAfterSweep(other, "at call %d", call)
		}
	})
}
