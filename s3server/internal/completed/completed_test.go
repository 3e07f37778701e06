package completed

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The server remembers only the latest completed uploads. It forgets those of a bucket when it is asked to.
func TestCompleteRemembersLatest(t *testing.T) {
	f := New()
	isRemembered := func(id int) bool {
		u, err := f.Find("photos", "k", strconv.Itoa(id), [32]byte{})
		require.NoError(t, err)
		return u != nil
	}

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
