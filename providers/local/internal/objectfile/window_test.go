package objectfile

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A windowReader reads the names of a directory in any order. If there are more than a window holds, it keeps the first
// maxWindow of them, in order, so that a listing of a large directory needs little memory.
func TestWindowReader(t *testing.T) {
	const (
		names = 5*maxWindow/2 + 17 // more than two windows
		step  = 7919               // has no common factor with names, so that each number occurs once
	)
	var entries []entry
	reader := &windowReader{window: window{isComplete: true}}
	for i := range names {
		// Numbers come in a mixed order. Every third name is that of a directory.
		number := i * step % names
		e := entry{segment: fmt.Sprintf("%07d", number), isDir: i%3 == 0}
		entries = append(entries, e)
		reader.keepEntry(e)
	}
	reader.compact()

	slices.SortFunc(entries, entry.order)
	require.Equal(t, entries[:maxWindow], reader.window.entries)
	require.False(t, reader.window.isComplete)
}
