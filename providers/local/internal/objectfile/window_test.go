package objectfile

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A window keeps the first entries of a large directory, in order.
func TestWindowReader(t *testing.T) {
	const (
		names = 5*maxWindow/2 + 17
		step  = 7919 // has no common factor with names, so that each name occurs once, in a mixed order
	)
	var entries []entry
	reader := &windowReader{window: window{isComplete: true}}
	for i := range names {
		e := entry{segment: fmt.Sprintf("%07d", i*step%names), isDir: i%3 == 0}
		entries = append(entries, e)
		reader.keepEntry(e)
	}
	reader.compact()

	slices.SortFunc(entries, entry.order)
	require.Equal(t, entries[:maxWindow], reader.window.entries)
	require.False(t, reader.window.isComplete)
}
