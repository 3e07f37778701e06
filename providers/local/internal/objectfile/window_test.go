package objectfile

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A windowReader that is given more names than a window holds keeps the first maxWindow of them, in order.
func TestWindowReader(t *testing.T) {
	const (
		names = 5*maxWindow/2 + 17 // more than two windows
		step  = 7919               // has no common factor with names, so that each number occurs once
	)
	var entries []entry
	reader := &windowReader{window: window{isComplete: true}}
	for i := range names {
		number := i * step % names // in a mixed order
		e := entry{segment: fmt.Sprintf("%07d", number), isDir: i%3 == 0}
		entries = append(entries, e)
		reader.keepEntry(e)
	}
	reader.compact()

	slices.SortFunc(entries, entry.order)
	require.Equal(t, entries[:maxWindow], reader.window.entries)
	require.False(t, reader.window.isComplete)
}
