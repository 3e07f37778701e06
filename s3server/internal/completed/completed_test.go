package completed

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The server remembers the latest maxUploads completed uploads, because it must be able to repeat
// the responses. It forgets the uploads to a bucket that is deleted.
func TestCompleteRemembersLatest(t *testing.T) {
	f := New()
	isRemembered := func(id int) bool {
		var noParts [32]byte // fingerprint of the uploads in this test
		u, err := f.Find("photos", "k", strconv.Itoa(id), noParts)
		require.NoError(t, err)
		return u != nil
	}

	// With more than maxUploads uploads, the server forgets the oldest one.
	for id := range maxUploads + 1 {
		f.Add(strconv.Itoa(id), &Upload{Bucket: "photos", Key: "k"})
	}
	require.False(t, isRemembered(0))
	require.True(t, isRemembered(1))
	require.True(t, isRemembered(maxUploads))
	require.Len(t, f.ids, maxUploads)

	f.Forget("photos")
	require.False(t, isRemembered(maxUploads))
	require.Empty(t, f.byID)
}
