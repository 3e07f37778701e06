package s3server

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The server remembers only its latest completed uploads.
func TestCompleteRemembersLatest(t *testing.T) {
	f := newFinishedUploads()
	known := func(id int) bool {
		u, err := f.find("photos", "k", strconv.Itoa(id), [32]byte{})
		require.NoError(t, err)
		return u != nil
	}
	for id := range maxFinished + 1 {
		f.add(strconv.Itoa(id), &finishedUpload{bucket: "photos", key: "k"})
	}
	require.False(t, known(0))
	require.True(t, known(1))
	require.True(t, known(maxFinished))
	require.Len(t, f.ids, maxFinished)
	f.forget("photos")
	require.False(t, known(maxFinished))
	require.Empty(t, f.byID)
}
